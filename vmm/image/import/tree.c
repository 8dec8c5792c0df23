/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: the merged root file system in memory; its rules are in tree.h. */
#include "vmm/image/import/tree.h"

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "vmm/base/cleanup.h"

#define WHITEOUT        ".wh."
#define WHITEOUT_OPAQUE ".wh..wh..opq"
#define WHITEOUT_META   ".wh..wh." /* notes of aufs to itself: no part of the file system */
#define SYMLINKS_MAX    40         /* followed by tree_find(), as the kernel does */

struct tree {
    struct tree_node root;
    unsigned layer;
    size_t count;
    uint64_t bytes;
};

static int compare_nodes(const void *a, const void *b)
{
    return strcmp(((const struct tree_node *)a)->name, ((const struct tree_node *)b)->name);
}

static bool is_directory(const struct tree_inode *inode)
{
    return S_ISDIR(inode->mode);
}

void tree_inode_free(struct tree_inode *inode)
{
    for (size_t i = 0; i < inode->xattr_count; i++) {
        free(inode->xattrs[i].name);
        free(inode->xattrs[i].value);
    }
    free(inode->xattrs);
    free(inode->segments);
    free(inode->target);
    free(inode);
}

static void free_node(void *at);

static void drop_inode(struct tree_inode *inode)
{
    if (--inode->links > 0)
        return;
    tdestroy(inode->children, free_node);
    tree_inode_free(inode);
}

static void free_node(void *at)
{
    struct tree_node *node = at;

    drop_inode(node->inode);
    free(node->name);
    free(node);
}

static struct tree_inode *make_directory(void)
{
    struct tree_inode *inode = calloc(1, sizeof(*inode));

    if (inode)
        inode->mode = S_IFDIR | 0755;
    return inode;
}

struct tree *tree_create(void)
{
    struct tree *tree = calloc(1, sizeof(*tree));

    if (!tree)
        return NULL;
    tree->root.inode = make_directory();
    if (!tree->root.inode) {
        free(tree);
        return NULL;
    }
    tree->root.inode->links = 1;
    tree->count = 1;
    return tree;
}

void tree_destroy(struct tree *tree)
{
    drop_inode(tree->root.inode);
    free(tree);
}

void tree_begin_layer(struct tree *tree)
{
    tree->layer++;
}

struct tree_inode *tree_root(const struct tree *tree)
{
    return tree->root.inode;
}

size_t tree_count(const struct tree *tree)
{
    return tree->count;
}

static struct tree_node *find_child(const struct tree_inode *directory, char *name)
{
    const struct tree_node key = {.name = name};
    void *const *found = tfind(&key, &directory->children, compare_nodes);

    return found ? *found : NULL;
}

struct visit {
    int (*visit)(struct tree_node *node, void *context);
    void *context;
    int rc;
};

static void visit_node(const void *at, VISIT order, void *closure)
{
    struct visit *visit = closure;

    if ((order == postorder || order == leaf) && visit->rc == 0)
        visit->rc = visit->visit(*(struct tree_node *const *)at, visit->context);
}

int tree_each_child(const struct tree_inode *directory,
                    int (*visit)(struct tree_node *node, void *context), void *context)
{
    struct visit walk = {visit, context, 0};

    twalk_r(directory->children, visit_node, &walk);
    return walk.rc;
}

/*
 * Copies the next component of *path into `name` and steps over it; "." and empty ones are skipped.
 * Returns 1, 0 at the end, or an error.
 */
static int next_component(const char **path, char name[TREE_NAME_MAX + 1], struct error *err)
{
    for (;;) {
        size_t length;

        *path += strspn(*path, "/");
        length = strcspn(*path, "/");
        if (length == 0)
            return 0;
        if (length == 1 && (*path)[0] == '.') {
            (*path)++;
            continue;
        }
        if (length == 2 && (*path)[0] == '.' && (*path)[1] == '.')
            return error_set(err, EINVAL, "has a '..' in its name");
        if (length > TREE_NAME_MAX)
            return error_set(err, EINVAL, "a part of its name is longer than %d bytes",
                             TREE_NAME_MAX);
        memcpy(name, *path, length);
        name[length] = '\0';
        *path += length;
        return 1;
    }
}

static int check_path(const char *path, struct error *err)
{
    if (path[0] == '/')
        return error_set(err, EINVAL, "its name is absolute");
    if (strlen(path) > TREE_PATH_MAX)
        return error_set(err, EINVAL, "its name is longer than %d bytes", TREE_PATH_MAX);
    return 0;
}

static bool is_last(const char *path)
{
    for (;;) {
        path += strspn(path, "/");
        if (path[0] != '.' || (path[1] != '/' && path[1] != '\0'))
            return path[0] == '\0';
        path++;
    }
}

/* Adds a name; `inode` gets one more link. */
static int add_child(struct tree *tree, struct tree_inode *directory, const char *name,
                     struct tree_inode *inode, struct error *err)
{
    struct tree_node *node;

    if (tree->count >= TREE_NODES_MAX)
        return error_set(err, E2BIG, "the image has more than %d files", TREE_NODES_MAX);
    node = calloc(1, sizeof(*node));
    if (node)
        node->name = strdup(name);
    if (!node || !node->name || !tsearch(node, &directory->children, compare_nodes)) {
        if (node)
            free(node->name);
        free(node);
        return error_set_errno(err, ENOMEM, "import");
    }
    node->inode = inode;
    node->layer = tree->layer;
    inode->links++;
    tree->count++;
    return 0;
}

static int count_nodes(struct tree_node *node, void *context)
{
    size_t *count = context;

    *count += 1;
    return tree_each_child(node->inode, count_nodes, count);
}

/* Lets `node` lead to `inode`, which gets one more link, instead of what it led to. */
static void replace_inode(struct tree *tree, struct tree_node *node, struct tree_inode *inode)
{
    size_t lost = 0;

    inode->links++;
    tree_each_child(node->inode, count_nodes, &lost);
    tree->count -= lost;
    drop_inode(node->inode);
    node->inode = inode;
    node->layer = tree->layer;
}

static void remove_child(struct tree *tree, struct tree_inode *directory, struct tree_node *node)
{
    size_t lost = 1;

    tree_each_child(node->inode, count_nodes, &lost);
    tree->count -= lost;
    tdelete(node, &directory->children, compare_nodes);
    free_node(node);
}

struct node_list {
    struct tree_node **nodes;
    size_t count;
};

static int list_node(struct tree_node *node, void *context)
{
    struct node_list *list = context;
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers is meant */
    struct tree_node **nodes = reallocarray(list->nodes, list->count + 1, sizeof(*nodes));

    if (!nodes)
        return -ENOMEM;
    list->nodes = nodes;
    list->nodes[list->count++] = node;
    return 0;
}

static int hide_lower_children(struct tree *tree, struct tree_inode *directory, struct error *err);

/* Takes away what lower layers hold at and below `node`. */
static int hide_lower(struct tree *tree, struct tree_inode *directory, struct tree_node *node,
                      struct error *err)
{
    if (node->layer == tree->layer)
        return hide_lower_children(tree, node->inode, err);
    remove_child(tree, directory, node);
    return 0;
}

static int hide_lower_children(struct tree *tree, struct tree_inode *directory, struct error *err)
{
    struct node_list list = {0};
    int rc = tree_each_child(directory, list_node, &list);

    if (rc < 0)
        error_set_errno(err, -rc, "import");
    for (size_t i = 0; rc == 0 && i < list.count; i++)
        rc = hide_lower(tree, directory, list.nodes[i], err);
    free(list.nodes);
    return rc;
}

static int apply_whiteout(struct tree *tree, struct tree_inode *directory, char *name,
                          struct error *err)
{
    char *hidden = name + strlen(WHITEOUT);
    struct tree_node *node;

    if (strcmp(name, WHITEOUT_OPAQUE) == 0)
        return hide_lower_children(tree, directory, err);
    if (strncmp(name, WHITEOUT_META, strlen(WHITEOUT_META)) == 0)
        return 0;
    if (hidden[0] == '\0' || strcmp(hidden, ".") == 0 || strcmp(hidden, "..") == 0)
        return error_set(err, EINVAL, "is a whiteout of nothing");
    node = find_child(directory, hidden);
    return node ? hide_lower(tree, directory, node, err) : 0;
}

/* Steps from *directory to its child `name`, making or turning it into a directory when needed. */
static int enter(struct tree *tree, struct tree_inode **directory, char *name, struct error *err)
{
    struct tree_node *node = find_child(*directory, name);
    struct tree_inode *made;
    int rc = 0;

    if (node && is_directory(node->inode)) {
        node->layer = tree->layer;
        *directory = node->inode;
        return 0;
    }
    if (node && node->layer == tree->layer)
        return error_set(err, ENOTDIR, "lies below '%s', which is no directory", name);
    made = make_directory();
    if (!made)
        return error_set_errno(err, ENOMEM, "import");
    if (node) {
        replace_inode(tree, node, made);
    } else {
        rc = add_child(tree, *directory, name, made, err);
        if (rc < 0)
            free(made);
    }
    if (rc == 0)
        *directory = made;
    return rc;
}

/*
 * Walks to the directory that holds the last component of `path`, which it copies to `name` (empty
 * when the path means the root itself).
 */
static int walk_to_parent(struct tree *tree, const char *path, struct tree_inode **parent,
                          char name[TREE_NAME_MAX + 1], struct error *err)
{
    int rc = check_path(path, err);

    *parent = tree->root.inode;
    name[0] = '\0';
    if (rc < 0)
        return rc;
    for (;;) {
        rc = next_component(&path, name, err);
        if (rc <= 0)
            return rc;
        if (is_last(path))
            return 0;
        rc = enter(tree, parent, name, err);
        if (rc < 0)
            return rc;
    }
}

/* A directory that comes again keeps its children and gets the new attributes. */
static void merge_directory(struct tree *tree, struct tree_node *node, struct tree_inode *inode)
{
    inode->children = node->inode->children;
    node->inode->children = NULL;
    inode->links = 1;
    drop_inode(node->inode);
    node->inode = inode;
    node->layer = tree->layer;
}

static int place(struct tree *tree, struct tree_inode *parent, char *name, struct tree_inode *inode,
                 struct error *err)
{
    struct tree_node *node = name[0] ? find_child(parent, name) : &tree->root;

    if (!node)
        return add_child(tree, parent, name, inode, err);
    if (is_directory(node->inode) && is_directory(inode)) {
        merge_directory(tree, node, inode);
        return 0;
    }
    if (node == &tree->root)
        return error_set(err, ENOTDIR, "the root must be a directory");
    if (node->layer == tree->layer)
        return error_set(err, EEXIST, "comes twice in one archive");
    replace_inode(tree, node, inode);
    return 0;
}

static int add_bytes(struct tree *tree, uint64_t size, struct error *err)
{
    if (size > TREE_BYTES_MAX - tree->bytes)
        return error_set(err, E2BIG, "the files of the image are larger than %llu GiB",
                         TREE_BYTES_MAX >> 30);
    tree->bytes += size;
    return 0;
}

static bool is_whiteout(const char *name)
{
    return strncmp(name, WHITEOUT, strlen(WHITEOUT)) == 0;
}

/* umoci takes away one by one the files of a directory that the same layer makes a file: that took
 * them away already. */
static bool is_whiteout_of_gone(const char *path, int rc)
{
    const char *slash = strrchr(path, '/');

    return rc == -ENOTDIR && slash && is_whiteout(slash + 1);
}

int tree_add(struct tree *tree, const char *path, struct tree_inode *inode, struct error *err)
{
    struct error why = ERROR_INIT;
    struct tree_inode *parent;
    char name[TREE_NAME_MAX + 1];
    int rc = walk_to_parent(tree, path, &parent, name, &why);

    if (is_whiteout_of_gone(path, rc)) {
        tree_inode_free(inode);
        return 0;
    }
    if (rc < 0)
        error_set(err, why.code, "%s", why.text);
    if (rc == 0 && is_whiteout(name)) {
        rc = apply_whiteout(tree, parent, name, err);
        tree_inode_free(inode);
        return rc;
    }
    if (rc == 0)
        rc = add_bytes(tree, inode->size, err);
    if (rc == 0)
        rc = place(tree, parent, name, inode, err);
    if (rc < 0)
        tree_inode_free(inode);
    return rc;
}

/* Finds without following symbolic links. */
static int find_exactly(const struct tree *tree, const char *path, struct tree_inode **inode,
                        struct error *err)
{
    char name[TREE_NAME_MAX + 1];
    int rc = check_path(path, err);

    *inode = tree->root.inode;
    if (rc < 0)
        return rc;
    for (;;) {
        const struct tree_node *node;

        rc = next_component(&path, name, err);
        if (rc <= 0)
            return rc;
        node = find_child(*inode, name);
        if (!node)
            return error_set(err, ENOENT, "not there");
        *inode = node->inode;
    }
}

int tree_link(struct tree *tree, const char *path, const char *target, struct error *err)
{
    struct error problem = ERROR_INIT;
    struct tree_inode *parent;
    struct tree_inode *inode;
    char name[TREE_NAME_MAX + 1];
    const struct tree_node *node;
    /* A target that begins with '/' means the image's root, as docker reads it. */
    int rc = find_exactly(tree, target + strspn(target, "/"), &inode, &problem);

    if (rc == -ENOENT)
        return error_set(err, ENOENT, "is a hard link to '%.200s', which is not there", target);
    if (rc < 0)
        return error_set(err, -rc, "is a hard link to '%.200s': %.200s", target, problem.text);
    if (is_directory(inode))
        return error_set(err, EISDIR, "is a hard link to the directory '%.200s'", target);
    inode->links++; /* the walk below may take away the target's own name */
    rc = walk_to_parent(tree, path, &parent, name, err);
    if (rc == 0) {
        node = name[0] ? find_child(parent, name) : &tree->root;
        if (node && node->inode == inode && node->layer == tree->layer)
            rc = error_set(err, ELOOP, "is a hard link to itself");
        else
            rc = place(tree, parent, name, inode, err);
    }
    drop_inode(inode);
    return rc;
}

/* Appends "/name" to the resolved path, or takes its last component away. */
static int step(char resolved[TREE_PATH_MAX + 1], const char *name)
{
    size_t used = strlen(resolved);

    if (strcmp(name, "..") == 0) {
        char *slash = strrchr(resolved, '/');

        if (slash)
            *slash = '\0';
        return 0;
    }
    if (used + 1 + strlen(name) > TREE_PATH_MAX)
        return -ENAMETOOLONG;
    snprintf(resolved + used, TREE_PATH_MAX + 1 - used, "/%s", name);
    return 0;
}

struct tree_inode *tree_find(const struct tree *tree, const char *path)
{
    AUTO_FREE char *rest = strdup(path);
    char resolved[TREE_PATH_MAX + 1] = "";
    struct tree_inode *inode = tree->root.inode;
    struct error ignored;
    int links = 0;

    while (rest) {
        char *at = rest + strspn(rest, "/");
        size_t length = strcspn(at, "/");
        char *more = NULL;
        size_t before = strlen(resolved);
        char kept = at[length];

        if (length == 0)
            return inode;
        at[length] = '\0';
        if (strcmp(at, ".") != 0 &&
            (step(resolved, at) < 0 ||
             find_exactly(tree, resolved[0] ? resolved + 1 : "", &inode, &ignored) < 0))
            return NULL;
        at[length] = kept;
        if (S_ISLNK(inode->mode)) {
            if (++links > SYMLINKS_MAX || asprintf(&more, "%s%s", inode->target, at + length) < 0)
                return NULL;
            resolved[inode->target[0] == '/' ? 0 : before] = '\0';
        } else {
            more = strdup(at + length);
        }
        free(rest);
        rest = more;
    }
    return NULL;
}

int tree_require_directory(struct tree *tree, const char *path, struct error *err)
{
    char prefix[TREE_PATH_MAX + 1] = "";
    char name[TREE_NAME_MAX + 1];
    struct tree_inode *directory = tree->root.inode;
    struct error ignored;

    if (strlen(path) > TREE_PATH_MAX)
        return 0;
    while (next_component(&path, name, &ignored) > 0) {
        struct tree_inode *next;

        if (step(prefix, name) < 0)
            return 0;
        next = tree_find(tree, prefix);
        if (!next && !find_child(directory, name)) {
            int rc;

            next = make_directory();
            if (!next)
                return error_set_errno(err, ENOMEM, "import");
            rc = add_child(tree, directory, name, next, err);
            if (rc < 0) {
                free(next);
                return rc;
            }
        }
        if (!next || !is_directory(next))
            return 0;
        directory = next;
    }
    return 0;
}
