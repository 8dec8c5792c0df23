/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: layers become a tree: whiteouts, links, replacement, attributes, and everything crooked.
 */
#include <errno.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/tar_maker.h"
#include "vmm/image/import/layer.h"

struct fixture {
    struct tree *tree;
    struct spool spool;
    struct tar_maker maker;
};

static int set_up(void **state)
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

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    close(tar_end(&fixture->maker));
    tree_destroy(fixture->tree);
    spool_close(&fixture->spool);
    free(fixture);
    return 0;
}

/* Applies what was put into the archive so far, and begins the next one. */
static int apply(struct fixture *fixture, struct error *err)
{
    char diff_id[DIGEST_SIZE];
    int fd = tar_end(&fixture->maker);
    int rc = layer_apply(fd, fixture->tree, &fixture->spool, diff_id, err);

    close(fd);
    tar_begin(&fixture->maker, TAR_PLAIN);
    return rc;
}

static void apply_fine(struct fixture *fixture)
{
    struct error err = ERROR_INIT;

    if (apply(fixture, &err) != 0)
        fail_msg("%s", err.text);
}

static void apply_refused(struct fixture *fixture, int code, const char *message)
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

/* The tree as "a/ a/file=content a/link->target a/twice=x(2)"; its count of nodes must be right. */
static void assert_tree(const struct fixture *fixture, const char *expected)
{
    struct listing listing = {.fixture = fixture, .count = 1};

    tree_each_child(tree_root(fixture->tree), list_node, &listing);
    assert_string_equal(listing.text, expected);
    assert_int_equal(tree_count(fixture->tree), listing.count);
}

static void test_whiteout(void **state)
{
    struct fixture *fixture = *state;
    struct tar_maker *maker = &fixture->maker;

    tar_directory(maker, "d");
    tar_file(maker, "d/one", "1");
    tar_file(maker, "d/two", "2");
    tar_directory(maker, "d/sub");
    tar_file(maker, "d/sub/three", "3");
    tar_file(maker, "file", "f");
    apply_fine(fixture);
    assert_tree(fixture, "d/ d/one=1 d/sub/ d/sub/three=3 d/two=2 file=f");

    tar_file(maker, "d/.wh.one", "");
    tar_file(maker, "d/.wh.sub", "");
    tar_file(maker, ".wh.file", "");
    tar_file(maker, ".wh.nothing", "");
    tar_file(maker, ".wh..wh.plnk", "");
    apply_fine(fixture);
    assert_tree(fixture, "d/ d/two=2");

    /* umoci does so when a directory becomes a file. */
    tar_file(maker, "d", "f");
    tar_file(maker, "d/.wh.two", "");
    apply_fine(fixture);
    assert_tree(fixture, "d=f");
}

static void test_whiteout_spares_its_own_layer(void **state)
{
    struct fixture *fixture = *state;
    struct tar_maker *maker = &fixture->maker;

    tar_file(maker, "before", "old");
    tar_file(maker, "after", "old");
    tar_file(maker, "d/x", "old");
    tar_file(maker, "e/x", "old");
    apply_fine(fixture);
    tar_file(maker, ".wh.before", "");
    tar_file(maker, "before", "new");
    tar_file(maker, "after", "new");
    tar_file(maker, ".wh.after", "");
    tar_file(maker, "d/y", "new");
    tar_file(maker, ".wh.d", "");
    tar_file(maker, ".wh.e", "");
    tar_file(maker, "e/y", "new");
    apply_fine(fixture);
    assert_tree(fixture, "after=new before=new d/ d/y=new e/ e/y=new");
}

static void test_opaque(void **state)
{
    struct fixture *fixture = *state;
    struct tar_maker *maker = &fixture->maker;

    for (int i = 0; i < 2; i++) {
        tar_directory(maker, i ? "e" : "d");
        tar_file(maker, i ? "e/old" : "d/old", "1");
        tar_file(maker, i ? "e/sub/old" : "d/sub/old", "2");
    }
    apply_fine(fixture);
    /* The mark first, and the mark last. */
    tar_file(maker, "d/.wh..wh..opq", "");
    tar_file(maker, "d/new", "3");
    tar_file(maker, "d/sub/new", "4");
    tar_file(maker, "e/new", "3");
    tar_file(maker, "e/sub/new", "4");
    tar_file(maker, "e/.wh..wh..opq", "");
    apply_fine(fixture);
    assert_tree(fixture, "d/ d/new=3 d/sub/ d/sub/new=4 e/ e/new=3 e/sub/ e/sub/new=4");
}

static void test_replacement(void **state)
{
    struct fixture *fixture = *state;
    struct tar_maker *maker = &fixture->maker;

    tar_file(maker, "a", "file");
    tar_file(maker, "b/x", "1");
    tar_symlink(maker, "c", "b");
    tar_file(maker, "d", "file");
    tar_directory(maker, "keep");
    tar_file(maker, "keep/x", "1");
    apply_fine(fixture);
    tar_directory(maker, "a");
    tar_file(maker, "b", "now a file");
    tar_file(maker, "c/x", "in a new directory, not in b");
    tar_file(maker, "d/e/f", "2");
    tar_directory(maker, "keep");
    apply_fine(fixture);
    assert_tree(fixture, "a/ b=now a file c/ c/x=in a new directory, not in b d/ d/e/ d/e/f=2 "
                         "keep/ keep/x=1");
}

static void test_names(void **state)
{
    struct fixture *fixture = *state;
    struct tar_maker *maker = &fixture->maker;

    tar_directory(maker, "./");
    tar_directory(maker, "./a/");
    tar_file(maker, "a//./b", "1");
    tar_directory(maker, "a"); /* twice is fine for a directory */
    tar_file(maker, "grüße\n", "2");
    tar_file(maker, "...", "3");
    tar_file(maker, "a/..b", "4");
    apply_fine(fixture);
    assert_tree(fixture, "...=3 a/ a/..b=4 a/b=1 grüße\n=2");
}

static void test_crooked_names(void **state)
{
    static const struct {
        const char *path;
        const char *message;
    } rows[] = {
        {"/etc/passwd", "absolute"},
        {"../escape", "'..'"},
        {"a/../../escape", "'..'"},
        {"..", "'..'"},
        {"a/..", "'..'"},
        {".wh.", "whiteout of nothing"},
        {"a/.wh...", "whiteout of nothing"},
        {".wh..", "whiteout of nothing"},
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        tar_file(&fixture->maker, rows[i].path, "x");
        apply_refused(fixture, EINVAL, rows[i].message);
    }
}

static void test_long_names(void **state)
{
    struct fixture *fixture = *state;
    char path[TREE_PATH_MAX + 10];

    memset(path, 'n', sizeof(path));
    path[TREE_NAME_MAX] = '\0';
    tar_file(&fixture->maker, path, "x");
    apply_fine(fixture);
    path[TREE_NAME_MAX] = 'n';
    path[TREE_NAME_MAX + 1] = '\0';
    tar_file(&fixture->maker, path, "x");
    apply_refused(fixture, EINVAL, "longer than 255 bytes");
    for (size_t i = 0; i < sizeof(path); i++)
        path[i] = i % 2 ? '/' : 'd';
    path[TREE_PATH_MAX - 1] = '\0';
    tar_file(&fixture->maker, path, "x");
    apply_fine(fixture);
    path[TREE_PATH_MAX - 1] = '/';
    path[TREE_PATH_MAX + 1] = '\0';
    tar_file(&fixture->maker, path, "x");
    apply_refused(fixture, EINVAL, "longer than 4096 bytes");
}

static void test_duplicates(void **state)
{
    struct fixture *fixture = *state;
    struct tar_maker *maker = &fixture->maker;

    tar_file(maker, "a", "1");
    tar_file(maker, "./a", "2");
    apply_refused(fixture, EEXIST, "'./a': comes twice");
    tar_file(maker, "b", "1");
    tar_directory(maker, "b");
    apply_refused(fixture, EEXIST, "comes twice");
    tar_directory(maker, "c");
    tar_symlink(maker, "c", "/");
    apply_refused(fixture, EEXIST, "comes twice");
    tar_file(maker, "d/x", "1");
    tar_file(maker, "d", "1");
    apply_refused(fixture, EEXIST, "comes twice");
}

static void test_below_no_directory(void **state)
{
    struct fixture *fixture = *state;
    struct tar_maker *maker = &fixture->maker;

    tar_symlink(maker, "out", "/etc");
    tar_file(maker, "out/passwd", "1");
    apply_refused(fixture, ENOTDIR, "'out/passwd': lies below 'out'");
    tar_file(maker, "file", "1");
    tar_file(maker, "file/x", "1");
    apply_refused(fixture, ENOTDIR, "lies below 'file'");
    tar_symlink(maker, ".", "/etc");
    apply_refused(fixture, ENOTDIR, "root must be a directory");
}

static void test_hard_links(void **state)
{
    struct fixture *fixture = *state;
    struct tar_maker *maker = &fixture->maker;

    tar_file(maker, "a", "1");
    tar_hardlink(maker, "b", "a");
    tar_hardlink(maker, "d/c", "./b");
    tar_symlink(maker, "s", "a");
    tar_hardlink(maker, "t", "s"); /* to the symbolic link itself */
    apply_fine(fixture);
    assert_tree(fixture, "a=1(3) b=1(3) d/ d/c=1(3) s->a(2) t->a(2)");

    tar_file(maker, ".wh.a", "");
    tar_file(maker, "b", "2");
    tar_hardlink(maker, "e", "/d/c"); /* of a lower layer; '/' is the image's root */
    tar_hardlink(maker, "d/c", "d/c/../c");
    apply_refused(fixture, EINVAL, "'..'");
}

static void test_hard_links_over_layers(void **state)
{
    struct fixture *fixture = *state;
    struct tar_maker *maker = &fixture->maker;

    tar_file(maker, "a", "1");
    tar_file(maker, "b", "old");
    apply_fine(fixture);
    tar_hardlink(maker, "b", "a");
    tar_hardlink(maker, "c", "/a");
    tar_file(maker, ".wh.a", "");
    apply_fine(fixture);
    assert_tree(fixture, "b=1(2) c=1(2)");
    /* The parent of the new name replaces the target's own. */
    tar_hardlink(maker, "b/x", "b");
    apply_fine(fixture);
    assert_tree(fixture, "b/ b/x=1(2) c=1(2)");
}

static void test_crooked_hard_links(void **state)
{
    struct fixture *fixture = *state;
    struct tar_maker *maker = &fixture->maker;

    tar_hardlink(maker, "a", "b");
    tar_hardlink(maker, "b", "a");
    apply_refused(fixture, ENOENT, "hard link to 'b', which is not there");
    tar_file(maker, "x", "1");
    tar_hardlink(maker, "x", "x");
    apply_refused(fixture, ELOOP, "to itself");
    tar_directory(maker, "d");
    tar_hardlink(maker, "e", "d");
    apply_refused(fixture, EISDIR, "the directory 'd'");
    tar_hardlink(maker, "f", "../../etc/shadow");
    apply_refused(fixture, EINVAL, "'..'");
    tar_symlink(maker, "l", "d");
    tar_file(maker, "d/y", "1");
    tar_hardlink(maker, "g", "l/y");
    apply_refused(fixture, ENOENT, "not there");
    tar_file(maker, "h", "1");
    tar_file(maker, "i", "2");
    tar_hardlink(maker, "i", "h");
    apply_refused(fixture, EEXIST, "comes twice");
}

static void test_attributes(void **state)
{
    struct fixture *fixture = *state;
    struct archive_entry *entry = tar_entry("dev", AE_IFCHR, 0600);
    const struct tree_inode *inode;

    archive_entry_set_uid(entry, 4000000000);
    archive_entry_set_gid(entry, 70000);
    archive_entry_set_mtime(entry, -5, 0);
    archive_entry_set_rdevmajor(entry, 0xfff);
    archive_entry_set_rdevminor(entry, 0xfffff);
    archive_entry_xattr_add_entry(entry, "user.b", "two", 3);
    archive_entry_xattr_add_entry(entry, "user.a", "", 0);
    archive_entry_xattr_add_entry(entry, "trusted.overlay.redirect", "/etc", 4);
    archive_entry_xattr_add_entry(entry, "user.overlay.opaque", "y", 1);
    archive_entry_xattr_add_entry(entry, "system.posix_acl_access", "x", 1);
    archive_entry_xattr_add_entry(entry, "security.capability", "\1\0\2", 3);
    tar_put(&fixture->maker, entry, NULL, 0);
    entry = tar_entry("late", AE_IFREG, 04755);
    archive_entry_set_mtime(entry, 1LL << 33, 0);
    tar_put(&fixture->maker, entry, NULL, 0);
    apply_fine(fixture);

    inode = tree_find(fixture->tree, "dev");
    assert_non_null(inode);
    assert_int_equal(inode->mode, S_IFCHR | 0600);
    assert_int_equal(inode->uid, 4000000000);
    assert_int_equal(inode->gid, 70000);
    assert_int_equal(inode->mtime, 0);
    assert_int_equal(inode->major, 0xfff);
    assert_int_equal(inode->minor, 0xfffff);
    assert_int_equal(inode->xattr_count, 3);
    assert_string_equal(inode->xattrs[0].name, "security.capability");
    assert_memory_equal(inode->xattrs[0].value, "\1\0\2", 3);
    assert_string_equal(inode->xattrs[1].name, "user.a");
    assert_int_equal(inode->xattrs[1].size, 0);
    assert_string_equal(inode->xattrs[2].name, "user.b");
    inode = tree_find(fixture->tree, "late");
    assert_int_equal(inode->mode, S_IFREG | 04755);
    assert_int_equal(inode->mtime, UINT32_MAX);
}

static void test_attributes_out_of_range(void **state)
{
    struct fixture *fixture = *state;
    struct archive_entry *entry = tar_entry("uid", AE_IFREG, 0600);

    archive_entry_set_uid(entry, 1LL << 32);
    tar_put(&fixture->maker, entry, NULL, 0);
    apply_refused(fixture, EINVAL, "owner");
    entry = tar_entry("dev", AE_IFBLK, 0600);
    archive_entry_set_rdevmajor(entry, 0x1000);
    tar_put(&fixture->maker, entry, NULL, 0);
    apply_refused(fixture, EINVAL, "device number");
    entry = tar_entry("many", AE_IFREG, 0600);
    for (int i = 0; i <= TREE_XATTRS_MAX; i++) {
        char name[32];

        snprintf(name, sizeof(name), "user.n%d", i);
        archive_entry_xattr_add_entry(entry, name, "v", 1);
    }
    tar_put(&fixture->maker, entry, NULL, 0);
    apply_refused(fixture, E2BIG, "extended attributes");
}

static void test_sparse(void **state)
{
    struct fixture *fixture = *state;
    struct archive_entry *entry = tar_entry("holes", AE_IFREG, 0600);
    const struct tree_inode *inode;
    char *content = calloc(1, 100000);

    assert_non_null(content);
    memcpy(content + 50000, "middle", 6);
    memcpy(content + 99995, "end.", 4);
    archive_entry_set_size(entry, 100000);
    archive_entry_sparse_add_entry(entry, 50000, 6);
    archive_entry_sparse_add_entry(entry, 99995, 4);
    tar_put(&fixture->maker, entry, content, 100000);
    free(content);
    apply_fine(fixture);
    inode = tree_find(fixture->tree, "holes");
    assert_int_equal(inode->size, 100000);
    assert_int_equal(inode->segment_count, 2);
    assert_int_equal(inode->segments[0].offset, 50000);
    assert_int_equal(inode->segments[0].length, 6);
    assert_int_equal(inode->segments[1].offset, 99995);
    assert_int_equal(fixture->spool.size, 10);
}

static void test_diff_id(void **state)
{
    static const enum tar_compression compressions[] = {TAR_PLAIN, TAR_GZIP, TAR_ZSTD};
    char diff_ids[3][DIGEST_SIZE];
    char digest[DIGEST_SIZE];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct tree *tree = tree_create();
        struct spool spool = {.fd = memfd_create("spool", MFD_CLOEXEC)};
        struct tar_maker maker;
        struct stat status;
        void *map;
        int fd;

        tar_begin(&maker, compressions[i]);
        tar_file(&maker, "a", "1");
        fd = tar_end(&maker);
        assert_int_equal(layer_apply(fd, tree, &spool, diff_ids[i], NULL), 0);
        if (i == 0) {
            assert_int_equal(fstat(fd, &status), 0);
            map = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
            assert_true(map != MAP_FAILED);
            digest_of(map, (size_t)status.st_size, digest);
            munmap(map, (size_t)status.st_size);
        }
        close(fd);
        spool_close(&spool);
        tree_destroy(tree);
        assert_string_equal(diff_ids[i], digest);
    }
}

/* Cut anywhere, an archive is refused or (cut between entries) shorter, and never more than that.
 */
static void test_truncated(void **state)
{
    struct fixture *fixture = *state;
    struct stat status;
    int fd;

    tar_file(&fixture->maker, "a", "some content");
    tar_file(&fixture->maker, "b", "some more");
    fd = tar_end(&fixture->maker);
    tar_begin(&fixture->maker, TAR_PLAIN); /* for tear_down() */
    assert_int_equal(fstat(fd, &status), 0);
    for (off_t size = status.st_size; size >= 0; size -= 100) {
        struct tree *tree = tree_create();
        char diff_id[DIGEST_SIZE];
        struct error err = ERROR_INIT;
        bool whole;
        int rc;

        assert_int_equal(ftruncate(fd, size), 0);
        assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
        rc = layer_apply(fd, tree, &fixture->spool, diff_id, &err);
        whole = tree_count(tree) == 3;
        tree_destroy(tree);
        if (rc < 0 ? rc != -EBADMSG : !whole && size % 512 != 0)
            fail_msg("cut at %lld: %d %s", (long long)size, rc, err.text);
    }
    close(fd);
}

static void test_no_archive(void **state)
{
    struct fixture *fixture = *state;
    char diff_id[DIGEST_SIZE];
    struct error err = ERROR_INIT;
    int fd = memfd_create("rubbish", MFD_CLOEXEC);

    assert_int_equal(layer_apply(fd, fixture->tree, &fixture->spool, diff_id, &err), -EBADMSG);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(write(fd, "rubbish ", 8), 8);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    assert_int_equal(layer_apply(fd, fixture->tree, &fixture->spool, diff_id, &err), -EBADMSG);
    close(fd);
}

static void test_find(void **state)
{
    struct fixture *fixture = *state;
    struct tar_maker *maker = &fixture->maker;

    tar_file(maker, "real/etc/passwd", "1");
    tar_symlink(maker, "etc", "/real/etc");
    tar_symlink(maker, "a", "b/../c");
    tar_symlink(maker, "c", "../../../etc");
    tar_directory(maker, "b");
    tar_symlink(maker, "loop", "loop2");
    tar_symlink(maker, "loop2", "loop");
    tar_symlink(maker, "deep", "deep/x");
    tar_symlink(maker, "real/up", "..");
    apply_fine(fixture);
    assert_non_null(tree_find(fixture->tree, "etc/passwd"));
    assert_non_null(tree_find(fixture->tree, "/etc/./passwd"));
    assert_non_null(tree_find(fixture->tree, "a/passwd"));
    assert_non_null(tree_find(fixture->tree, "real/up/real/up/etc/passwd"));
    assert_ptr_equal(tree_find(fixture->tree, "real/.."), tree_root(fixture->tree));
    assert_ptr_equal(tree_find(fixture->tree, ""), tree_root(fixture->tree));
    assert_null(tree_find(fixture->tree, "loop"));
    assert_null(tree_find(fixture->tree, "deep"));
    assert_null(tree_find(fixture->tree, "etc/passwd/x"));
    assert_null(tree_find(fixture->tree, "none"));
}

static void test_require_directory(void **state)
{
    struct fixture *fixture = *state;
    struct tar_maker *maker = &fixture->maker;

    tar_directory(maker, "run");
    tar_symlink(maker, "var", "run");
    tar_file(maker, "file", "1");
    tar_symlink(maker, "dangling", "nowhere");
    apply_fine(fixture);
    assert_int_equal(tree_require_directory(fixture->tree, "/var/lib/data", NULL), 0);
    assert_int_equal(tree_require_directory(fixture->tree, "/var", NULL), 0);
    assert_int_equal(tree_require_directory(fixture->tree, "/", NULL), 0);
    assert_int_equal(tree_require_directory(fixture->tree, "/file/x", NULL), 0);
    assert_int_equal(tree_require_directory(fixture->tree, "/dangling/x", NULL), 0);
    assert_int_equal(tree_require_directory(fixture->tree, "/../x", NULL), 0);
    assert_tree(fixture, "dangling->nowhere file=1 run/ run/lib/ run/lib/data/ var->run");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_whiteout, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_whiteout_spares_its_own_layer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_opaque, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_replacement, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_crooked_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_long_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_duplicates, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_below_no_directory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_hard_links, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_hard_links_over_layers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_crooked_hard_links, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_attributes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_attributes_out_of_range, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sparse, set_up, tear_down),
        cmocka_unit_test(test_diff_id),
        cmocka_unit_test_setup_teardown(test_truncated, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_archive, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_find, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_require_directory, set_up, tear_down),
    };

    setlocale(LC_CTYPE, "C.UTF-8"); /* as microvm-import does */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
