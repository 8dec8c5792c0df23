/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The image store, an OCI image layout with root file systems beside it.
 *
 *   oci-layout, index.json   see the OCI image specification (image-layout.md); the annotation
 *                            org.opencontainers.image.ref.name holds "name:tag"
 *   blobs/sha256/HEX         manifests, configs, layers
 *   roots/HEX.squashfs       the merged layers of the image whose config has this digest
 *   roots/HEX.json           its record (store_root.h)
 *   roots/HEX.passwd, .group copies of its /etc/passwd and /etc/group, if it has them
 *   tmp/NAME/                a running import, which locks this directory
 *   lock                     flock: shared by readers, exclusive for changes
 *
 * index.json is replaced by rename; blobs and roots are renamed into place before it refers to
 * them. So a crash only leaves unreferenced files, which store_prune() removes.
 */
#ifndef MICROVM_IMAGE_STORE_H
#define MICROVM_IMAGE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/base/error.h"
#include "vmm/image/reference.h"

struct store;

enum store_access { STORE_READ, STORE_WRITE };

/* An entry of index.json. */
struct store_entry {
    char name[REFERENCE_TEXT_SIZE]; /* "name:tag", empty for an image without a name */
    char digest[DIGEST_SIZE];       /* of the manifest */
    uint64_t size;                  /* of the manifest in bytes */
};

#define STORE_JSON_MAX (4U << 20) /* bytes of the largest manifest, index or config */

/*
 * $MICROVM_STORE, else /var/lib/microvm for root, else in ${XDG_DATA_HOME:-~/.local/share}. The
 * caller frees *path. Errors: ENOENT (no home directory), ENOMEM.
 */
int store_default_path(char **path, struct error *err);

/*
 * Opens the store at `path` and waits for its lock. STORE_WRITE creates what is missing; for
 * STORE_READ a missing store is an empty one. Errors: those of open(2), EINVAL (not a store), EPERM
 * (another user can change it; root's store may be read by all).
 */
int store_open(const char *path, enum store_access access, struct store **store, struct error *err);
void store_close(struct store *store);

#define AUTO_STORE __attribute__((cleanup(store_close_at)))
static inline void store_close_at(struct store **store)
{
    if (*store)
        store_close(*store);
}

const char *store_path(const struct store *store);

/* The descriptor of the store's directory, owned by the store; -1 for a missing store. */
int store_directory(const struct store *store);

/* The entries of index.json in their order; valid until the next change or store_close(). */
size_t store_count(const struct store *store);
const struct store_entry *store_entry(const struct store *store, size_t index);

/*
 * Finds the image that `reference` (not a path) means; the result is valid as long as
 * store_entry()'s. Errors: ENOENT (the message names it), ENOTUNIQ (a short ID fits several
 * images).
 */
int store_resolve(struct store *store, const struct reference *reference,
                  const struct store_entry **entry, struct error *err);

/*
 * Reads a manifest, index or config and checks its digest. The caller frees *data, which a NUL
 * follows. Errors: ENOENT, EBADMSG (digest differs), EFBIG (over STORE_JSON_MAX), of read(2).
 */
int store_read_blob(const struct store *store, const char *digest, char **data, size_t *size,
                    struct error *err);

/* Path of blobs/sha256/HEX, or of roots/HEX and `suffix`, relative to store_directory(). */
#define STORE_NAME_SIZE 128
void store_blob_name(const char *digest, char name[STORE_NAME_SIZE]);
void store_root_name(const char *config_digest, const char *suffix, char name[STORE_NAME_SIZE]);

/*
 * Changes (STORE_WRITE). When they return 0, index.json has been replaced durably. store_tag: lets
 * `name` ("name:tag"; empty for none) mean this manifest; an image that held the
 *   name loses it and stays without a name if that was its last one.
 * store_remove: removes a name, or with `name` empty every name and the entry itself. Errors: of
 * write(2), rename(2), fsync(2).
 */
int store_tag(struct store *store, const char *name, const char *digest, uint64_t size,
              struct error *err);
int store_remove(struct store *store, const char *name, const char *digest, struct error *err);

struct store_pruned {
    uint64_t files;
    uint64_t bytes;
};

/*
 * Removes blobs and roots that no entry needs and leftovers of interrupted imports. `unnamed` also
 * removes the images without a name. Errors: as for a change; EBADMSG when a stored manifest cannot
 * be read (then nothing is removed).
 */
int store_prune(struct store *store, bool unnamed, struct store_pruned *pruned, struct error *err);

/* Only the leftovers of interrupted imports in tmp/, of any kind; what cannot be removed stays, and
 * does no harm. Adds to *pruned. Errors: of open(2) for tmp. */
int store_sweep_imports(struct store *store, struct store_pruned *pruned, struct error *err);

#endif
