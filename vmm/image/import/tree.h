/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The root file system of an image as a tree in memory, built layer by layer.
 *
 * Nothing is ever extracted: a file's content is a list of segments in the spool (see spool.h), and
 * names exist only here. So a hostile archive has no file system into which it could escape.
 *
 * Layers are applied as the OCI image specification (layer.md) says; unspecified cases are handled
 * as in docker's overlay2 and containerd:
 *   - An entry whose last component begins with ".wh." is a whiteout, whatever its type (aufs
 *     stored hard links). A whiteout (".wh.NAME") or an opaque mark (".wh..wh..opq") hides what
 *     lower layers hold, wherever in its own layer it stands; entries of its own layer stay.
 *   - A symbolic link of the same layer in the middle of a path is followed inside the root, never
 *     outside: ".." stops at the root, "/" begins there. A missing target is created.
 *   - A symbolic link (or file) of a lower layer is not followed: an entry below it turns that name
 *     into a directory, as the upper directory of an overlay does.
 *   - Missing parents become directories of root with mode 0755.
 *   - A repeated name replaces the earlier entry; for two directories, the content stays
 *     and the later attributes count.
 *   - A leading '/' is the image's root. A ".." component, an entry below a file of the same layer,
 *     and a hard link to nothing, to a directory or to itself are refused.
 */
#ifndef MICROVM_IMAGE_IMPORT_TREE_H
#define MICROVM_IMAGE_IMPORT_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "vmm/base/error.h"

/* Limits; real images stay far below. */
#define TREE_NODES_MAX    2000000      /* names */
#define TREE_PATH_MAX     4096         /* bytes of a path */
#define TREE_NAME_MAX     255          /* bytes of a component */
#define TREE_BYTES_MAX    (1ULL << 38) /* sum of all files, including holes: 256 GiB */
#define TREE_XATTRS_MAX   256          /* of one inode */
#define TREE_SEGMENTS_MAX 1000000      /* of one file */

/* `length` bytes of a file at `offset` are at `spool` in the spool; gaps between segments are
 * zeros. */
struct tree_segment {
    uint64_t offset;
    uint64_t length;
    uint64_t spool;
};

struct tree_xattr {
    char *name;
    void *value;
    size_t size;
};

/* The metadata of one entry. The tree owns the strings and arrays once the inode is added. */
struct tree_inode {
    mode_t mode; /* type and permissions as in struct stat */
    uint32_t uid;
    uint32_t gid;
    uint32_t mtime; /* seconds since 1970 */
    uint32_t major; /* of a device node */
    uint32_t minor;
    char *target;                  /* of a symbolic link */
    uint64_t size;                 /* of a file */
    struct tree_segment *segments; /* of a file, ascending, not overlapping */
    size_t segment_count;
    struct tree_xattr *xattrs; /* ascending by name */
    size_t xattr_count;
    void *children; /* of a directory: tree_each_child() */

    unsigned cleared; /* the layer that hid the lower layers' entries of this directory */

    unsigned links; /* names that lead here */

    /* For the squashfs writer. */
    uint32_t number; /* 0 until it has numbered this inode */
    bool is_written;
    void *written;
    uint64_t location;
};

struct tree_node {
    char *name;
    struct tree_inode *inode;
    unsigned layer; /* that created or last changed this name */
};

struct tree;

/* A tree with an empty root directory (root, 0755). Null when out of memory. */
struct tree *tree_create(void);
void tree_destroy(struct tree *tree);

/* Begins the next layer: later entries are newer than the present ones. */
void tree_begin_layer(struct tree *tree);

/* Ends it: removes the private files of aufs (".wh..wh.plnk" and the like). Errors: ENOMEM. */
int tree_end_layer(struct tree *tree, struct error *err);

/* Is `path`, by its last component, a whiteout or an opaque mark? */
bool tree_is_whiteout(const char *path);

/* Applies a whiteout or an opaque mark. Errors: EINVAL (of nothing), those of tree_add(). */
int tree_hide(struct tree *tree, const char *path, struct error *err);

/*
 * Adds an entry; takes ownership of `inode` in any case (frees it on failure). `path` is as in the
 * archive: "./a/b", "/a//b/", not "a/../b". Errors: EINVAL (path), ENOTDIR, ELOOP, ENAMETOOLONG,
 * E2BIG (bounds), ENOMEM.
 */
int tree_add(struct tree *tree, const char *path, struct tree_inode *inode, struct error *err);

/* Adds a hard link to `target`; symbolic links in the middle of its path are followed inside the
 * root. Errors: also ENOENT, EISDIR, ELOOP (to itself). */
int tree_link(struct tree *tree, const char *path, const char *target, struct error *err);

/* Frees an inode that is in no tree. */
void tree_inode_free(struct tree_inode *inode);

struct tree_inode *tree_root(const struct tree *tree);

/* The number of names in the tree, including the root. */
size_t tree_count(const struct tree *tree);

/* Calls `visit` for the children of a directory, ascending by the bytes of their names, until it
 * fails. */
int tree_each_child(const struct tree_inode *directory,
                    int (*visit)(struct tree_node *node, void *context), void *context);

/*
 * Finds a path ("etc/passwd"), following symbolic links inside the tree as a chroot would.
 * Null when there is none.
 */
struct tree_inode *tree_find(const struct tree *tree, const char *path);

/*
 * Makes sure that `path` is a directory, following symbolic links as tree_find() does; creates
 * missing parts. Does nothing if an entry of another type is in the way. Errors: E2BIG, ENOMEM.
 */
int tree_require_directory(struct tree *tree, const char *path, struct error *err);

#endif
