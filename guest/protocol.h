/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest protocol, version 2: what init and the client on the host say to each other. One
 * definition for both sides.
 *
 * Connections. There is one for control, and one for each standard stream of a process; streams
 * carry raw bytes, and their end of file is the shutdown of a direction. In a VM init connects to
 * ports of the host over vsock: control to PROTOCOL_PORT_CONTROL, streams to
 * PROTOCOL_PORT_STREAM(). On a host, as process 1 of a container's outer namespaces, it inherits
 * the same connections as UNIX sockets: port P is descriptor PROTOCOL_CONTROL_FD + P -
 * PROTOCOL_PORT_CONTROL. With a terminal, the stream of standard input carries both directions and
 * the other two do not exist. Without -i there is no stream of standard input, unless there is a
 * terminal.
 *
 * Control carries messages: a header, then the payload. Numbers are little-endian. Each side's
 * first message is HELLO. A receiver refuses another version, and ignores messages whose type it
 * does not know, so that a type can be added; what changes the meaning of the others is a feature
 * bit, or a new version.
 *
 * Processes have numbers, which the client chooses; PROTOCOL_CONTAINER is the container's own. The
 * header names the process that a message is about.
 *
 * Start: the client sends HELLO, SETUP, the files of the bundle (FILE, then DATA for what does not
 * fit), RUN; all at once, while the guest's kernel still boots. init answers STARTED or FAILED.
 *
 * End: the process ends; init forwards what is left of its output and shuts its streams down; it
 * sends EXITED (or FAILED); the client, having written everything out, answers DRAINED; when that
 * was about the container, init ends, in a VM by ringing the doorbell with DOORBELL_EXIT.
 */
#ifndef MICROVM_GUEST_PROTOCOL_H
#define MICROVM_GUEST_PROTOCOL_H

#include <stdint.h>

#define PROTOCOL_MAGIC   0x4d56694dU /* "MiVM" */
#define PROTOCOL_VERSION 2

#define PROTOCOL_CONTAINER 0 /* number of the process that the container is made for */

#define PROTOCOL_PORT_CONTROL 1024

enum protocol_stream { PROTOCOL_STDIN, PROTOCOL_STDOUT, PROTOCOL_STDERR, PROTOCOL_STREAMS };

#define PROTOCOL_PORT_STREAM(process, stream)                                                      \
    (PROTOCOL_PORT_CONTROL + (process) * (PROTOCOL_STREAMS + 1) + 1 + (stream))

enum protocol_type {
    /* both ways */
    PROTOCOL_HELLO = 1, /* struct protocol_hello */
    /* guest -> host */
    PROTOCOL_STARTED = 2,  /* no payload: the process runs */
    PROTOCOL_EXITED = 3,   /* struct protocol_exit */
    PROTOCOL_FAILED = 4,   /* struct protocol_exit, then one line of text: it could not be run */
    PROTOCOL_MARK = 5,     /* struct protocol_mark; only on a host: a guest has the doorbell */
    PROTOCOL_SYSCALLS = 6, /* rows, see below; before EXITED, only when asked by trace=1 */
    /* host -> guest */
    PROTOCOL_SETUP = 16,   /* settings of the VM, see below */
    PROTOCOL_FILE = 17,    /* struct protocol_file, its name and a NUL, then its first bytes */
    PROTOCOL_DATA = 18,    /* more bytes of the last FILE */
    PROTOCOL_RUN = 19,     /* settings of the process, see below: it is to run */
    PROTOCOL_SIGNAL = 20,  /* struct protocol_signal */
    PROTOCOL_WINDOW = 21,  /* struct protocol_window */
    PROTOCOL_DRAINED = 22, /* no payload */
};

#define PROTOCOL_PAYLOAD_MAX 65536 /* of a message to the guest */
#define PROTOCOL_REPORT_MAX  1024  /* of a message to the host */

struct protocol_header {
    uint16_t type;
    uint16_t process;
    uint32_t size; /* bytes of payload */
};

/* Features of init, in its HELLO; the client's are 0 so far. */
#define PROTOCOL_FEATURE_SYSCALLS (1U << 0) /* it knows trace=1 */

struct protocol_hello {
    uint32_t magic;
    uint32_t version;
    uint32_t features;
};

struct protocol_exit {
    uint8_t status; /* as docker: the command's own, 128+N, 125-127 */
};

struct protocol_mark {
    uint8_t number; /* enum doorbell_mark */
};

struct protocol_file {
    uint32_t mode; /* permission bits */
};

struct protocol_signal {
    uint8_t number; /* Linux signal number */
};

struct protocol_window {
    uint16_t rows;
    uint16_t columns;
};

/*
 * A row of PROTOCOL_SYSCALLS, without padding: number of the system call (32 bits), how often it
 * was called, how often it failed, nanoseconds between entry and return (64 bits each). Each number
 * comes at most once; those at or above PROTOCOL_SYSCALL_NUMBERS, and calls of another
 * architecture's table, are in one row of number PROTOCOL_SYSCALL_OTHER.
 */
#define PROTOCOL_SYSCALL_SIZE    28
#define PROTOCOL_SYSCALLS_MAX    36 /* rows of a message */
#define PROTOCOL_SYSCALL_NUMBERS 512
#define PROTOCOL_SYSCALL_OTHER   0xffffffffU

_Static_assert(PROTOCOL_SYSCALLS_MAX *PROTOCOL_SYSCALL_SIZE <= PROTOCOL_REPORT_MAX, "message size");
_Static_assert(sizeof(struct protocol_header) == 8, "wire format");
_Static_assert(sizeof(struct protocol_hello) == 12, "wire format");
_Static_assert(sizeof(struct protocol_window) == 4, "wire format");

/*
 * Settings are lines `key=value`; init ignores keys that it does not know.
 *
 * Of SETUP, which is about the VM; on a host the client has done all that:
 *   overlay=tmpfs|disk   where the writable layer is (disk: the second block device, ext4)
 *   hostname=NAME
 *   address=IPV4/BITS    of the first Ethernet interface, which init brings up
 *   gateway=IPV4         its default route
 *   mtu=BYTES
 * Of RUN:
 *   terminal=0|1         the process has a terminal
 *   stdin=0|1            the client offers a stream of standard input
 *   trace=0|1            count its system calls, and send them before EXITED
 *   runtime=PATH         the OCI runtime (default: PROTOCOL_RUNTIME)
 *   runtime_option=O     one option of the runtime, before its command; may come several times
 *   runtime_signals=0|1  signals go through the runtime's `kill` command: the process it names is
 *                        not the container's own (gVisor)
 */
#define PROTOCOL_SETTINGS_MAX 8192 /* bytes of a message's settings */

/* Where init puts the files of the bundle; on a host all paths are within the instance's directory.
 */
#define PROTOCOL_BUNDLE_DIR "/bundle"
/*
 * What the runtime mounts on: for each a letter, its path in the container's root, and a NUL. Init
 * makes what is missing.
 */
#define PROTOCOL_TARGETS          "/bundle/targets"
#define PROTOCOL_TARGET_DIRECTORY 'd'
#define PROTOCOL_TARGET_FILE      'f'
#define PROTOCOL_ROOTFS_PATH                                                                       \
    "/bundle/rootfs" /* mounted by init, named by config.json's root.path */

#define PROTOCOL_RUNTIME "/bin/crun"
#define PROTOCOL_RUN_DIR "/run" /* of init and the runtime */

/* Descriptors of init on a host. */
#define PROTOCOL_LOCK_FD    3 /* the lock of its instance, which ends with it */
#define PROTOCOL_CONTROL_FD 4 /* and those of the container's streams behind it */
#define PROTOCOL_FDS_END    (PROTOCOL_CONTROL_FD + 1 + PROTOCOL_STREAMS)

#define PROTOCOL_OPEN_FILES 1048576 /* a container's limit, as docker's, where it may be had */

#define PROTOCOL_ROOT_DISK    "/dev/vda" /* squashfs, read-only */
#define PROTOCOL_READ_AHEAD   8UL        /* of a squashfs, in sectors of 512 bytes: a page */
#define PROTOCOL_OVERLAY_DISK "/dev/vdb"

#endif
