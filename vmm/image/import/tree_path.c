/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walk paths in the tree: for entries of an archive, and to look up paths of the finished root file
 * system. No walk leaves the root, and each is bounded in links, steps and depth.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/cleanup.h"
#include "vmm/image/import/tree_private.h"

#define SYMLINKS_MAX 40                  /* followed on one walk, same as in the kernel */
#define STEPS_MAX    TREE_PATH_MAX       /* components of one walk, including those of links */
#define DEPTH_MAX    (TREE_PATH_MAX / 2) /* nested directories */

struct walk {
    const char *rest; /* the rest of the walk: in the caller's path or in `target` */
    char *target;     /* owned: a link's target and the rest of the path */
    unsigned links;
    unsigned steps;
    size_t depth;
    struct tree_inode *above[DEPTH_MAX + 1]; /* from the root to the present position */
};

static void walk_release(struct walk *walk)
{
    free(walk->target);
}

#define AUTO_WALK __attribute__((cleanup(walk_release)))

static void walk_begin(struct walk *walk, const struct tree *tree, const char *path)
{
    walk->rest = path;
    walk->target = NULL;
    walk->links = 0;
    walk->steps = 0;
    walk->depth = 0;
    walk->above[0] = tree->root.inode;
}

/*
 * Copies the next component of *path into `name` and moves past it; "." and empty ones are skipped.
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
        if (length > TREE_NAME_MAX)
            return error_set(err, EINVAL, "a part of its name is longer than %d bytes",
                             TREE_NAME_MAX);
        memcpy(name, *path, length);
        name[length] = '\0';
        *path += length;
        return 1;
    }
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

/* An entry's own name must not contain ".."; a link's target may. */
static int check_path(const char *path, struct error *err)
{
    char name[TREE_NAME_MAX + 1];
    int rc;

    if (strlen(path) > TREE_PATH_MAX)
        return error_set(err, EINVAL, "its name is longer than %d bytes", TREE_PATH_MAX);
    while ((rc = next_component(&path, name, err)) > 0) {
        if (strcmp(name, "..") == 0)
            return error_set(err, EINVAL, "has a '..' in its name");
    }
    return rc;
}

bool tree_last_component(const char *path, char name[TREE_NAME_MAX + 1])
{
    int rc;

    name[0] = '\0';
    while ((rc = next_component(&path, name, NULL)) > 0) {
    }
    return rc == 0 && name[0];
}

/* Continues the walk at the target of `link`. */
static int follow(struct walk *walk, const struct tree_inode *link, struct error *err)
{
    char *target = NULL;

    if (++walk->links > SYMLINKS_MAX)
        return error_set(err, ELOOP, "more than %d symbolic links lead to it", SYMLINKS_MAX);
    if (strlen(link->target) + strlen(walk->rest) > TREE_PATH_MAX)
        return error_set(err, ENAMETOOLONG, "its symbolic links make a path of more than %d bytes",
                         TREE_PATH_MAX);
    if (asprintf(&target, "%s%s", link->target, walk->rest) < 0)
        return error_set_errno(err, ENOMEM, "import");
    free(walk->target);
    walk->target = target;
    walk->rest = target;
    if (target[0] == '/')
        walk->depth = 0;
    return 0;
}

static int descend(struct walk *walk, struct tree_inode *directory, struct error *err)
{
    if (walk->depth == DEPTH_MAX)
        return error_set(err, ENAMETOOLONG, "lies more than %d directories deep", DEPTH_MAX);
    walk->above[++walk->depth] = directory;
    return 0;
}

/* Creates the directory `name`, or replaces a lower layer's entry by one. */
static int make(struct tree *tree, struct walk *walk, const char *name, struct tree_node *node,
                struct error *err)
{
    struct tree_inode *made = tree_make_directory();
    int rc = 0;

    if (!made)
        return error_set_errno(err, ENOMEM, "import");
    if (node)
        tree_replace_inode(tree, node, made);
    else
        rc = tree_add_child(tree, walk->above[walk->depth], name, made, err);
    if (rc < 0) {
        free(made);
        return rc;
    }
    return descend(walk, made, err);
}

/* One step of a walk through `name`; `tree` is null for a walk that changes nothing. */
static int step(struct tree *tree, struct walk *walk, const char *name, struct error *err)
{
    struct tree_node *node;
    bool is_new;

    if (++walk->steps > STEPS_MAX)
        return error_set(err, ELOOP, "its symbolic links lead through more than %d directories",
                         STEPS_MAX);
    if (strcmp(name, "..") == 0) {
        walk->depth -= walk->depth > 0;
        return 0;
    }
    node = tree_find_child(walk->above[walk->depth], name);
    is_new = tree && node && node->layer == tree->layer;
    if (node && tree_is_directory(node->inode)) {
        if (tree)
            node->layer = tree->layer;
        return descend(walk, node->inode, err);
    }
    if (node && S_ISLNK(node->inode->mode) && (!tree || is_new))
        return follow(walk, node->inode, err);
    if (tree && !is_new)
        return make(tree, walk, name, node, err);
    if (!node)
        return error_set(err, ENOENT, "does not exist");
    return error_set(err, ENOTDIR, "lies below '%s', which is not a directory", name);
}

int tree_walk(struct tree *tree, const char *path, enum tree_walk_mode mode,
              struct tree_inode **parent, char name[TREE_NAME_MAX + 1], struct error *err)
{
    AUTO_WALK struct walk walk;
    int rc;

    walk_begin(&walk, tree, path);
    rc = check_path(path, err);
    name[0] = '\0';
    *parent = walk.above[0];
    if (rc < 0)
        return rc;
    for (;;) {
        rc = next_component(&walk.rest, name, err);
        *parent = walk.above[walk.depth];
        if (rc <= 0 || is_last(walk.rest))
            return rc < 0 ? rc : 0;
        rc = step(mode == TREE_WALK_MAKE ? tree : NULL, &walk, name, err);
        if (rc < 0)
            return rc;
    }
}

struct tree_inode *tree_find(const struct tree *tree, const char *path)
{
    AUTO_WALK struct walk walk;
    char name[TREE_NAME_MAX + 1];
    int rc;

    walk_begin(&walk, tree, path);
    while ((rc = next_component(&walk.rest, name, NULL)) > 0) {
        const struct tree_node *node = tree_find_child(walk.above[walk.depth], name);

        if (node && !tree_is_directory(node->inode) && !S_ISLNK(node->inode->mode))
            return is_last(walk.rest) ? node->inode : NULL;
        if (step(NULL, &walk, name, NULL) < 0)
            return NULL;
    }
    return rc == 0 ? walk.above[walk.depth] : NULL;
}

int tree_require_directory(struct tree *tree, const char *path, struct error *err)
{
    struct tree_inode *directory = tree->root.inode;
    char name[TREE_NAME_MAX + 1];
    const char *rest = path;

    if (strlen(path) > TREE_PATH_MAX)
        return 0;
    while (next_component(&rest, name, NULL) > 0) {
        AUTO_FREE char *prefix = strndup(path, (size_t)(rest - path));
        struct tree_inode *next = prefix ? tree_find(tree, prefix) : NULL;

        if (!prefix)
            return error_set_errno(err, ENOMEM, "import");
        if (!next && strcmp(name, "..") != 0 && !tree_find_child(directory, name)) {
            int rc;

            next = tree_make_directory();
            if (!next)
                return error_set_errno(err, ENOMEM, "import");
            rc = tree_add_child(tree, directory, name, next, err);
            if (rc < 0) {
                free(next);
                return rc;
            }
        }
        if (!next || !tree_is_directory(next))
            return 0;
        directory = next;
    }
    return 0;
}
