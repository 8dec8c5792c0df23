/* SPDX-License-Identifier: Apache-2.0 */
/* The merged root file system in memory: its nodes and inodes; see tree.h. */
#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/image/import/tree_private.h"

static int compare_nodes(const void *a, const void *b)
{
    return strcmp(((const struct tree_node *)a)->name, ((const struct tree_node *)b)->name);
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

void tree_drop_inode(struct tree_inode *inode)
{
    if (--inode->links > 0)
        return;
    tdestroy(inode->children, free_node);
    tree_inode_free(inode);
}

static void free_node(void *at)
{
    struct tree_node *node = at;

    tree_drop_inode(node->inode);
    free(node->name);
    free(node);
}

struct tree_inode *tree_make_directory(void)
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
    tree->root.inode = tree_make_directory();
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
    tree_drop_inode(tree->root.inode);
    free(tree);
}

struct tree_inode *tree_root(const struct tree *tree)
{
    return tree->root.inode;
}

size_t tree_count(const struct tree *tree)
{
    return tree->count;
}

static int compare_name(const void *name, const void *node)
{
    return strcmp(name, ((const struct tree_node *)node)->name);
}

struct tree_node *tree_find_child(const struct tree_inode *directory, const char *name)
{
    void *const *found = tfind(name, &directory->children, compare_name);

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

int tree_add_child(struct tree *tree, struct tree_inode *directory, const char *name,
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
    if (directory == tree->root.inode && strncmp(name, TREE_META, strlen(TREE_META)) == 0)
        tree->has_meta = true;
    return 0;
}

static int count_nodes(struct tree_node *node, void *context)
{
    size_t *count = context;

    *count += 1;
    return tree_each_child(node->inode, count_nodes, count);
}

void tree_replace_inode(struct tree *tree, struct tree_node *node, struct tree_inode *inode)
{
    size_t lost = 0;

    inode->links++;
    tree_each_child(node->inode, count_nodes, &lost);
    tree->count -= lost;
    tree_drop_inode(node->inode);
    node->inode = inode;
    node->layer = tree->layer;
}

void tree_remove_child(struct tree *tree, struct tree_inode *directory, struct tree_node *node)
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

static void release_list(struct node_list *list)
{
    free(list->nodes);
}

#define AUTO_NODE_LIST __attribute__((cleanup(release_list)))

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

int tree_for_children(struct tree_inode *directory,
                      int (*act)(struct tree *tree, struct tree_inode *directory,
                                 struct tree_node *node, struct error *err),
                      struct tree *tree, struct error *err)
{
    AUTO_NODE_LIST struct node_list list = {0};
    int rc = tree_each_child(directory, list_node, &list);

    if (rc < 0)
        return error_set_errno(err, -rc, "import");
    for (size_t i = 0; i < list.count; i++) {
        rc = act(tree, directory, list.nodes[i], err);
        if (rc < 0)
            return rc;
    }
    return 0;
}
