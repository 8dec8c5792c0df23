/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The root file system of an image as a tree in memory, built layer by layer.
 *
 * Nothing is ever extracted: a file's content is a list of segments in the spool (see spool.h), and
 * names exist only here. So a hostile archive has no file system to escape to.
 *
 * Layers are applied as the OCI image specification (layer.md) says; what it leaves open is done as
 * docker's overlay2 and containerd do it:
 *   - An entry whose last component begins with ".wh." is a whiteout, whatever its type (aufs
 *     stored hard links). A whiteout (".wh.NAME") or an opaque mark (".wh..wh..opq") hides what
 *     lower layers hold, wherever in its own layer it stands; entries of its own layer stay.
 *   - A symbolic link of the same layer in the middle of a path is followed inside the root, never
 *     outside: ".." stops at the root, "/" begins there. What it leads to is made when missing.
 *   - A symbolic link (or file) of a lower layer is not followed: an entry below it turns that name
 *     into a directory, as the upper directory of an overlay does.
 *   - Missing parents become directories of root with mode 0755.
 *   - A name that comes again replaces what it named before; of two directories, the content stays
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

/* Bounds that real images stay far below. */
#define TREE_NODES_MAX    2000000      /* names */
#define TREE_PATH_MAX     4096         /* bytes of a path */
#define TREE_NAME_MAX     255          /* bytes of a component */
#define TREE_BYTES_MAX    (1ULL << 38) /* sum of all files, holes counted: 256 GiB */
#define TREE_XATTRS_MAX   256          /* of one inode */
#define TREE_SEGMENTS_MAX 1000000      /* of one file */

/* `length` bytes of a file at `offset` lie at `spool` in the spool; gaps between segments are
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

/* What an archive says of one entry. Strings and arrays become the tree's when it takes the
 * inode. */
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

    unsigned cleared; /* the layer that took away all that lower ones hold in this directory */

    unsigned links; /* names that lead here */

    /* The writer's notes. */
    uint32_t number; /* 0 until it has seen this inode */
    bool is_written;
    void *written;
    uint64_t location;
};

struct tree_node {
    char *name;
    struct tree_inode *inode;
    unsigned layer; /* that made or last changed this name */
};

struct tree;

/* A tree with an empty root directory (root, 0755). Null when out of memory. */
struct tree *tree_create(void);
void tree_destroy(struct tree *tree);

/* Begins the next layer: what follows is newer than what is there. */
void tree_begin_layer(struct tree *tree);

/* Ends it: takes away what aufs kept there for itself (".wh..wh.plnk" and the like). Errors:
 * ENOMEM. */
int tree_end_layer(struct tree *tree, struct error *err);

/* Does the last component of `path` make it a whiteout or an opaque mark? */
bool tree_is_whiteout(const char *path);

/* Acts on a whiteout or an opaque mark. Errors: EINVAL (of nothing), those of tree_add(). */
int tree_hide(struct tree *tree, const char *path, struct error *err);

/*
 * Puts an entry in its place; `inode` is taken over in any case (its strings freed on failure).
 * `path` is as in the archive: "./a/b", "/a//b/", not "a/../b". Errors: EINVAL (path), ENOTDIR,
 * ELOOP, ENAMETOOLONG, E2BIG (bounds), ENOMEM.
 */
int tree_add(struct tree *tree, const char *path, struct tree_inode *inode, struct error *err);

/* Adds a hard link to what `target` names, symbolic links in its middle followed inside the root.
 * Errors: also ENOENT, EISDIR, ELOOP (to itself). */
int tree_link(struct tree *tree, const char *path, const char *target, struct error *err);

/* Frees an inode that never came into a tree. */
void tree_inode_free(struct tree_inode *inode);

struct tree_inode *tree_root(const struct tree *tree);

/* Names in the tree, the root included. */
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
 * Sees to it that `path` leads to a directory, following symbolic links as tree_find() does;
 * missing parts are made. A path that something else is in the way of is left alone. Errors: E2BIG,
 * ENOMEM.
 */
int tree_require_directory(struct tree *tree, const char *path, struct error *err);

#endif
