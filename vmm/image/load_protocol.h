/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The messages between microvm (load.c, which owns the store) and microvm-import (import/, which
 * reads untrusted archives and can open nothing) on a SOCK_SEQPACKET pair: one struct a message,
 * both programs of the same build.
 *
 * The import sends requests, and waits for the reply, or notifications. Files have numbers, not
 * names: microvm creates each one, in the directory of this import only, and passes its descriptor
 * with the reply.
 */
#ifndef MICROVM_IMAGE_LOAD_PROTOCOL_H
#define MICROVM_IMAGE_LOAD_PROTOCOL_H

#include <stdint.h>

#include "vmm/base/error.h"
#include "vmm/image/digest.h"

/* Descriptors of microvm-import; it has no others. */
#define LOAD_SOURCE_FD                                                                             \
    0                     /* the archive, a pipe, or the directory; of unpack-kernel: the payload  \
                           */
#define LOAD_CHANNEL_FD 1 /* the socket; of unpack-kernel: the output */
#define LOAD_WORDS_FD   2 /* the socket as well: a crash message arrives as a message */

enum load_call {
    /* Requests: the reply has `result` (0 or more, or a negative errno). */
    LOAD_NEW_FILE = 0x6c6f6164, /* -> result, `file`, a descriptor for reading and writing */
    LOAD_OPEN_FILE,             /* `file` -> result, a new descriptor for reading */
    LOAD_OPEN_MEMBER, /* `text`, a path beneath the source directory -> result, the same */
    LOAD_FIND_STORED, /* `config` -> result 1 with `digest` and `size` of the manifest; 0 */
    /* Notifications. */
    LOAD_BLOB,    /* `file` is the blob with `digest` */
    LOAD_ROOT,    /* `file` is the `part` of the root of the image with `config` */
    LOAD_IMAGE,   /* an image: `digest` of the manifest, `config`, `text` = name or "" */
    LOAD_FAILED,  /* the end: `result` = positive errno, `text` = message */
    LOAD_FINISHED /* the end: success; `result` = enum load_kind */
};

enum load_part { LOAD_SQUASHFS, LOAD_PASSWD, LOAD_GROUP, LOAD_PARTS };

struct load_message {
    uint32_t call;
    int32_t result;
    uint32_t file;
    uint32_t part;
    uint64_t size;
    char digest[DIGEST_SIZE];
    char config[DIGEST_SIZE];
    char text[ERROR_TEXT_SIZE];
};

#endif
