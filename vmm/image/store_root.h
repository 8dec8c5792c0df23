/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Roots in the store, and their records: roots/HEX.json holds, for each part, its digest and size,
 * and a stamp of the file (device, inode, times of content and of inode).
 *
 * A part with the recorded stamp has not changed: content cannot change without the times, unless
 * somebody sets the clock or writes to the disk below the file system. With another stamp (a store
 * that was copied) the digest is computed again, once. So a run does not read the whole root to
 * verify it. `microvm image verify` does.
 */
#ifndef MICROVM_IMAGE_STORE_ROOT_H
#define MICROVM_IMAGE_STORE_ROOT_H

#include "vmm/image/store.h"

enum store_root_part { STORE_ROOT_SQUASHFS, STORE_ROOT_PASSWD, STORE_ROOT_GROUP, STORE_ROOT_PARTS };

#define STORE_STAMP_SIZE 128

struct store_root {
    char config_digest[DIGEST_SIZE];
    struct {
        char digest[DIGEST_SIZE]; /* "" for a part that the image does not have */
        uint64_t size;
        char stamp[STORE_STAMP_SIZE];
    } parts[STORE_ROOT_PARTS];
};

/* Path of a part relative to store_directory(). */
void store_root_part_name(const char *config_digest, enum store_root_part part,
                          char name[STORE_NAME_SIZE]);

/* Stamps the parts, which must be in place, and writes the record. Errors: of write(2). */
int store_root_write(const struct store *store, struct store_root *root, struct error *err);

/* Reads the record of a root. Errors: ENOENT, EBADMSG, of read(2). */
int store_root_read(const struct store *store, const char *config_digest, struct store_root *root,
                    struct error *err);

/*
 * Opens a part for reading. `whole`: its digest is computed even if the stamp is the recorded one.
 * Returns its descriptor. Errors: ENOENT, EBADMSG (it has changed), of open(2).
 */
int store_root_open(const struct store *store, struct store_root *root, enum store_root_part part,
                    bool whole, struct error *err);

#endif
