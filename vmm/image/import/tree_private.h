/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of the tree: nodes (tree.c), paths (tree_path.c), layers (tree_layer.c). */
#ifndef MICROVM_IMAGE_IMPORT_TREE_PRIVATE_H
#define MICROVM_IMAGE_IMPORT_TREE_PRIVATE_H

#include <sys/stat.h>

#include "vmm/image/import/tree.h"

struct tree {
    struct tree_node root;
    unsigned layer;
    size_t count;
    uint64_t bytes;
    bool has_meta; /* names of TREE_META are in the root */
};

/* aufs kept private data, and the targets of hard links, in names of the root with this prefix. */
#define TREE_META ".wh..wh."

static inline bool tree_is_directory(const struct tree_inode *inode)
{
    return S_ISDIR(inode->mode);
}

/* Creates an inode of a directory (root, 0755) without a name. Null when out of memory. */
struct tree_inode *tree_make_directory(void);

/* Removes one link; the last one frees the inode. */
void tree_drop_inode(struct tree_inode *inode);

struct tree_node *tree_find_child(const struct tree_inode *directory, const char *name);

/* Adds a name; `inode` gets one more link. Errors: E2BIG (TREE_NODES_MAX), ENOMEM. */
int tree_add_child(struct tree *tree, struct tree_inode *directory, const char *name,
                   struct tree_inode *inode, struct error *err);

/* Makes `inode`, which gets one more link, the inode of `node`, instead of its former one. */
void tree_replace_inode(struct tree *tree, struct tree_node *node, struct tree_inode *inode);

/* Removes a name, with everything below it. */
void tree_remove_child(struct tree *tree, struct tree_inode *directory, struct tree_node *node);

/* Calls `act` for each child, which `act` may remove. Errors: ENOMEM, those of `act`. */
int tree_for_children(struct tree_inode *directory,
                      int (*act)(struct tree *tree, struct tree_inode *directory,
                                 struct tree_node *node, struct error *err),
                      struct tree *tree, struct error *err);

/* The last component of `path`; false when there is none or it is too long. */
bool tree_last_component(const char *path, char name[TREE_NAME_MAX + 1]);

/* How tree_walk() handles entries on its way. */
enum tree_walk_mode {
    TREE_WALK_FIND, /* changes nothing, and follows every symbolic link */
    TREE_WALK_MAKE, /* adds an entry of the present layer: see tree.h */
};

/*
 * Walks to the directory that holds the last component of `path`, which it copies to `name` (empty
 * when the path means the root itself). The last component is not followed. Errors: EINVAL (".." in
 * the path, or a component that is too long), ENOENT, ENOTDIR, ELOOP, ENAMETOOLONG, E2BIG, ENOMEM.
 */
int tree_walk(struct tree *tree, const char *path, enum tree_walk_mode mode,
              struct tree_inode **parent, char name[TREE_NAME_MAX + 1], struct error *err);

#endif
