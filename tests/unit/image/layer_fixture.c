/* SPDX-License-Identifier: Apache-2.0 */
/* The fixture of layer tests; see layer_fixture.h. */
#include "tests/unit/image/layer_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int layer_set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    assert_non_null(fixture);
    fixture->tree = tree_create();
    assert_non_null(fixture->tree);
    fixture->spool.fd = memfd_create("spool", MFD_CLOEXEC);
    assert_true(fixture->spool.fd >= 0);
    tar_begin(&fixture->maker, TAR_PLAIN);
    *state = fixture;
    return 0;
}

int layer_tear_down(void **state)
{
    struct fixture *fixture = *state;

    close(tar_end(&fixture->maker));
    tree_destroy(fixture->tree);
    spool_close(&fixture->spool);
    free(fixture);
    return 0;
}

static int apply(struct fixture *fixture, struct error *err)
{
    char diff_id[DIGEST_SIZE];
    int fd = tar_end(&fixture->maker);
    int rc = layer_apply(fd, fixture->tree, &fixture->spool, diff_id, err);

    close(fd);
    tar_begin(&fixture->maker, TAR_PLAIN);
    return rc;
}

void apply_fine(struct fixture *fixture)
{
    struct error err = ERROR_INIT;

    if (apply(fixture, &err) != 0)
        fail_msg("%s", err.text);
}

void apply_refused(struct fixture *fixture, int code, const char *message)
{
    struct error err = ERROR_INIT;

    assert_int_equal(apply(fixture, &err), -code);
    if (!strstr(err.text, message))
        fail_msg("no '%s' in: %s", message, err.text);
    assert_null(strchr(err.text, '\n'));
}

struct listing {
    const struct fixture *fixture;
    char text[4096];
    char path[256];
    size_t count;
};

static void add_text(struct listing *listing, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add_text(struct listing *listing, const char *format, ...)
{
    size_t used = strlen(listing->text);
    va_list args;

    va_start(args, format);
    vsnprintf(listing->text + used, sizeof(listing->text) - used, format, args);
    va_end(args);
}

static void list_content(struct listing *listing, const struct tree_inode *inode)
{
    char content[256] = "";

    assert_true(inode->size < sizeof(content));
    for (size_t i = 0; i < inode->segment_count; i++)
        assert_int_equal(spool_read(&listing->fixture->spool, inode->segments[i].spool,
                                    content + inode->segments[i].offset, inode->segments[i].length,
                                    NULL),
                         0);
    add_text(listing, "=%s", content);
}

static int list_node(struct tree_node *node, void *context)
{
    struct listing *listing = context;
    size_t length = strlen(listing->path);

    listing->count++;
    snprintf(listing->path + length, sizeof(listing->path) - length, "%s%s", length ? "/" : "",
             node->name);
    add_text(listing, "%s%s", listing->text[0] ? " " : "", listing->path);
    if (S_ISDIR(node->inode->mode)) {
        add_text(listing, "/");
        tree_each_child(node->inode, list_node, listing);
    } else if (S_ISLNK(node->inode->mode)) {
        add_text(listing, "->%s", node->inode->target);
    } else if (S_ISREG(node->inode->mode)) {
        list_content(listing, node->inode);
    }
    if (node->inode->links > 1)
        add_text(listing, "(%u)", node->inode->links);
    listing->path[length] = '\0';
    return 0;
}

void assert_tree(const struct fixture *fixture, const char *expected)
{
    struct listing listing = {.fixture = fixture, .count = 1};

    tree_each_child(tree_root(fixture->tree), list_node, &listing);
    assert_string_equal(listing.text, expected);
    assert_int_equal(tree_count(fixture->tree), listing.count);
}
