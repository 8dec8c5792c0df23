/* SPDX-License-Identifier: Apache-2.0 */
/* How entries of a layer change the tree: whiteouts, replacement, hard links. See tree.h for the
 * rules. */
#include <errno.h>
#include <string.h>

#include "vmm/image/import/tree_private.h"

#define WHITEOUT        ".wh."
#define WHITEOUT_OPAQUE ".wh..wh..opq"

void tree_begin_layer(struct tree *tree)
{
    tree->layer++;
}

static int drop_meta(struct tree *tree, struct tree_inode *directory, struct tree_node *node,
                     struct error *err)
{
    (void)err;
    if (strncmp(node->name, TREE_META, strlen(TREE_META)) == 0)
        tree_remove_child(tree, directory, node);
    return 0;
}

int tree_end_layer(struct tree *tree, struct error *err)
{
    return tree->has_meta ? tree_for_children(tree->root.inode, drop_meta, tree, err) : 0;
}

static int hide_lower_children(struct tree *tree, struct tree_inode *directory, struct error *err);

/* Removes the entries of lower layers at and below `node`. */
static int hide_lower(struct tree *tree, struct tree_inode *directory, struct tree_node *node,
                      struct error *err)
{
    if (node->layer == tree->layer)
        return hide_lower_children(tree, node->inode, err);
    tree_remove_child(tree, directory, node);
    return 0;
}

/* Once in a layer suffices: later entries are of this layer. So a thousand marks cost the same as
 * one. */
static int hide_lower_children(struct tree *tree, struct tree_inode *directory, struct error *err)
{
    if (directory->cleared == tree->layer)
        return 0;
    directory->cleared = tree->layer;
    return tree_for_children(directory, hide_lower, tree, err);
}

bool tree_is_whiteout(const char *path)
{
    char name[TREE_NAME_MAX + 1];

    return tree_last_component(path, name) && strncmp(name, WHITEOUT, strlen(WHITEOUT)) == 0;
}

int tree_hide(struct tree *tree, const char *path, struct error *err)
{
    struct error problem = ERROR_INIT;
    struct tree_inode *parent;
    struct tree_node *node;
    char name[TREE_NAME_MAX + 1];
    const char *hidden = name + strlen(WHITEOUT);
    int rc = tree_walk(tree, path, TREE_WALK_MAKE, &parent, name, &problem);

    /* umoci also writes a whiteout for each file of a directory that the same layer replaces by a
     * file: those are gone already. */
    if (rc == -ENOTDIR)
        return 0;
    if (rc < 0)
        return error_set(err, -rc, "%s", problem.text);
    if (strcmp(name, WHITEOUT_OPAQUE) == 0)
        return hide_lower_children(tree, parent, err);
    if (strncmp(name, TREE_META, strlen(TREE_META)) == 0)
        return 0;
    if (hidden[0] == '\0' || strcmp(hidden, ".") == 0 || strcmp(hidden, "..") == 0)
        return error_set(err, EINVAL, "is a whiteout of nothing");
    node = tree_find_child(parent, hidden);
    return node ? hide_lower(tree, parent, node, err) : 0;
}

/* A repeated directory keeps its children and gets the new attributes. */
static void merge_directory(struct tree *tree, struct tree_node *node, struct tree_inode *inode)
{
    inode->children = node->inode->children;
    inode->cleared = node->inode->cleared;
    node->inode->children = NULL;
    inode->links = 1;
    tree_drop_inode(node->inode);
    node->inode = inode;
    node->layer = tree->layer;
}

/* The last entry of a name counts, whether the earlier one is of this or of a lower layer. */
static int place(struct tree *tree, struct tree_inode *parent, const char *name,
                 struct tree_node *node, struct tree_inode *inode, struct error *err)
{
    if (!node)
        return tree_add_child(tree, parent, name, inode, err);
    if (tree_is_directory(node->inode) && tree_is_directory(inode))
        merge_directory(tree, node, inode);
    else if (node == &tree->root)
        return error_set(err, ENOTDIR, "the root must be a directory");
    else
        tree_replace_inode(tree, node, inode);
    return 0;
}

static struct tree_node *find_place(struct tree *tree, struct tree_inode *parent, const char *name)
{
    return name[0] ? tree_find_child(parent, name) : &tree->root;
}

static int add_bytes(struct tree *tree, uint64_t size, struct error *err)
{
    if (size > TREE_BYTES_MAX - tree->bytes)
        return error_set(err, E2BIG, "the files of the image are larger than %llu GiB",
                         TREE_BYTES_MAX >> 30);
    tree->bytes += size;
    return 0;
}

static int add(struct tree *tree, const char *path, struct tree_inode *inode, struct error *err)
{
    struct tree_inode *parent;
    char name[TREE_NAME_MAX + 1];
    int rc = tree_walk(tree, path, TREE_WALK_MAKE, &parent, name, err);

    if (rc < 0)
        return rc;
    rc = add_bytes(tree, inode->size, err);
    if (rc < 0)
        return rc;
    return place(tree, parent, name, find_place(tree, parent, name), inode, err);
}

int tree_add(struct tree *tree, const char *path, struct tree_inode *inode, struct error *err)
{
    int rc = add(tree, path, inode, err);

    if (rc < 0)
        tree_inode_free(inode);
    return rc;
}

/* Finds the target of a hard link. A leading '/' is the image's root, as in docker. */
static int find_target(struct tree *tree, const char *target, struct tree_node **node,
                       struct error *err)
{
    struct error problem = ERROR_INIT;
    struct tree_inode *parent;
    char name[TREE_NAME_MAX + 1];
    int rc = tree_walk(tree, target, TREE_WALK_FIND, &parent, name, &problem);

    *node = rc < 0 ? NULL : find_place(tree, parent, name);
    if (rc < 0 && rc != -ENOENT && rc != -ENOTDIR)
        return error_set(err, -rc, "is a hard link to '%.200s': %.200s", target, problem.text);
    if (!*node)
        return error_set(err, ENOENT, "is a hard link to '%.200s', which does not exist", target);
    if (tree_is_directory((*node)->inode))
        return error_set(err, EISDIR, "is a hard link to the directory '%.200s'", target);
    return 0;
}

static int link_inode(struct tree *tree, const char *path, const struct tree_node *source,
                      struct tree_inode *inode, struct error *err)
{
    struct tree_node *node;
    struct tree_inode *parent;
    char name[TREE_NAME_MAX + 1];
    int rc = tree_walk(tree, path, TREE_WALK_MAKE, &parent, name, err);

    if (rc < 0)
        return rc;
    node = find_place(tree, parent, name);
    if (node == source && node->layer == tree->layer)
        return error_set(err, ELOOP, "is a hard link to itself");
    return place(tree, parent, name, node, inode, err);
}

int tree_link(struct tree *tree, const char *path, const char *target, struct error *err)
{
    struct tree_node *source = NULL;
    struct tree_inode *inode;
    int rc = find_target(tree, target, &source, err);

    if (rc < 0 || !source)
        return rc;
    inode = source->inode;
    inode->links++; /* the walk may remove the target's own name */
    rc = link_inode(tree, path, source, inode, err);
    tree_drop_inode(inode);
    return rc;
}
