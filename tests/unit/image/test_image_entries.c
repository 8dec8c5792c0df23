/* SPDX-License-Identifier: Apache-2.0 */
/* Single entries and whole archives: attributes, holes, digests, damage; and paths in the tree. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/image/layer_fixture.h"
#include "vmm/base/bytes.h"

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

/* Zeros that are not marked as a hole take no space either. */
static void test_zeros(void **state)
{
    struct fixture *fixture = *state;
    const struct tree_inode *inode;
    size_t size = 10U << 20;
    char *content = calloc(1, size);

    assert_non_null(content);
    content[0] = 'a';
    content[size - 1] = 'z';
    tar_put(&fixture->maker, tar_entry("zeros", AE_IFREG, 0600), content, size);
    free(content);
    apply_fine(fixture);
    inode = tree_find(fixture->tree, "zeros");
    assert_int_equal(inode->size, size);
    assert_true(fixture->spool.size < 1U << 20);
    assert_int_equal(inode->segments[0].offset, 0);
    assert_int_equal(inode->segments[inode->segment_count - 1].offset +
                         inode->segments[inode->segment_count - 1].length,
                     size);
}

static void test_diff_id(void **state)
{
    static const enum tar_compression compressions[] = {TAR_PLAIN, TAR_GZIP, TAR_ZSTD, TAR_XZ,
                                                        TAR_BZIP2};
    char diff_ids[5][DIGEST_SIZE];
    char digest[DIGEST_SIZE];

    (void)state;
    for (size_t i = 0; i < 5; i++) {
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

/* Truncated anywhere, an archive is refused or (truncated between entries) shorter, nothing
 * else. */
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

/* A damaged byte is detected, unless it has no meaning. */
static void test_damaged(void **state)
{
    static const enum tar_compression compressions[] = {TAR_GZIP, TAR_XZ, TAR_BZIP2};
    struct fixture *fixture = *state;
    static char content[8192];
    struct tar_maker maker;

    for (size_t i = 0; i < sizeof(content) - 1; i++)
        content[i] = (char)('a' + i * i % 23);
    for (size_t i = 0; i < ARRAY_LENGTH(compressions); i++) {
        char whole[DIGEST_SIZE];
        struct error whole_err = ERROR_INIT;
        struct stat status;
        int fd;

        tar_begin(&maker, compressions[i]);
        tar_file(&maker, "a", content);
        fd = tar_end(&maker);
        assert_int_equal(fstat(fd, &status), 0);
        assert_int_equal(layer_apply(fd, fixture->tree, &fixture->spool, whole, &whole_err), 0);
        for (off_t at = 10; at < status.st_size; at += 3) {
            char diff_id[DIGEST_SIZE];
            struct error err = ERROR_INIT;
            char byte;
            int rc;

            assert_int_equal(pread(fd, &byte, 1, at), 1);
            byte ^= 0x10;
            assert_int_equal(pwrite(fd, &byte, 1, at), 1);
            assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
            rc = layer_apply(fd, fixture->tree, &fixture->spool, diff_id, &err);
            byte ^= 0x10;
            assert_int_equal(pwrite(fd, &byte, 1, at), 1);
            if (rc != -EBADMSG && !(rc == 0 && strcmp(diff_id, whole) == 0))
                fail_msg("compression %d, damaged at %lld: %d", compressions[i], (long long)at, rc);
        }
        close(fd);
    }
}

static int append(int fd, const void *data, size_t size)
{
    return pwrite(fd, data, size, lseek(fd, 0, SEEK_END)) == (ssize_t)size ? 0 : -1;
}

/* pigz and tools for seekable layers write several gzip members. */
static void test_gzip_members(void **state)
{
    struct fixture *fixture = *state;
    unsigned char packed[4096];
    char whole[DIGEST_SIZE];
    char diff_id[DIGEST_SIZE];
    struct error err = ERROR_INIT;
    char archive[65536];
    struct tar_maker maker;
    int plain, fd, part;
    ssize_t size, count;

    tar_begin(&maker, TAR_PLAIN);
    tar_file(&maker, "a", "1");
    plain = tar_end(&maker);
    size = pread(plain, archive, sizeof(archive), 0);
    assert_true(size > 1024);
    digest_of(archive, (size_t)size, whole);
    fd = tar_compress(archive, 700, TAR_GZIP);
    part = tar_compress(archive + 700, (size_t)size - 700, TAR_GZIP);
    count = pread(part, packed, sizeof(packed), 0);
    assert_true(count > 20);
    assert_int_equal(append(fd, packed, (size_t)count), 0);
    /* Trailing bytes are ignored, same as in gzip(1). */
    for (int i = 0; i < 2; i++) {
        assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
        assert_int_equal(layer_apply(fd, fixture->tree, &fixture->spool, diff_id, &err), 0);
        assert_string_equal(diff_id, whole);
        assert_int_equal(append(fd, "\0\0\0rubbish", 10), 0);
    }
    /* A truncated member is not. */
    assert_int_equal(ftruncate(fd, lseek(fd, 0, SEEK_END) - 20 - 5), 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    assert_int_equal(layer_apply(fd, fixture->tree, &fixture->spool, diff_id, &err), -EBADMSG);
    assert_non_null(strstr(err.text, "truncated"));
    close(fd);
    close(part);
    close(plain);
}

static void test_no_archive(void **state)
{
    struct fixture *fixture = *state;
    char diff_id[DIGEST_SIZE];
    struct error err = ERROR_INIT;
    int fd = memfd_create("rubbish", MFD_CLOEXEC);

    for (int i = 0; i < 1000; i++)
        assert_int_equal(write(fd, "rubbish ", 8), 8);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    assert_int_equal(layer_apply(fd, fixture->tree, &fixture->spool, diff_id, &err), -EBADMSG);
    close(fd);
}

/* A layer of no bytes changes nothing, compressed or not; its digest is that of no bytes. */
static void test_empty(void **state)
{
    static const enum tar_compression compressions[] = {TAR_PLAIN, TAR_GZIP, TAR_ZSTD, TAR_XZ,
                                                        TAR_BZIP2};
    struct fixture *fixture = *state;
    char nothing[DIGEST_SIZE];

    tar_file(&fixture->maker, "a", "1");
    apply_fine(fixture);
    digest_of("", 0, nothing);
    for (size_t i = 0; i < 5; i++) {
        char diff_id[DIGEST_SIZE];
        struct error err = ERROR_INIT;
        int fd = tar_compress("", 0, compressions[i]);

        if (layer_apply(fd, fixture->tree, &fixture->spool, diff_id, &err) < 0)
            fail_msg("%zu: %s", i, err.text);
        assert_string_equal(diff_id, nothing);
        close(fd);
    }
    assert_tree(fixture, "a=1");
    /* Blocks of zeros, the end of a tar archive: one is too few for other programs, and enough for
     * docker. */
    for (size_t blocks = 1; blocks <= 20; blocks++) {
        static const char zeros[20 * 512];
        char diff_id[DIGEST_SIZE];
        int fd = tar_compress(zeros, blocks * 512, TAR_GZIP);

        assert_int_equal(layer_apply(fd, fixture->tree, &fixture->spool, diff_id, NULL), 0);
        close(fd);
    }
    assert_tree(fixture, "a=1");
}

/* Bytes of names are kept: also if they are not UTF-8, or not normalised. */
static void test_bytes_of_names(void **state)
{
    static const char *const names[] = {
        "latin-gr\xfc\xdf", "e\xcc\x81", "\xc3\xa9", "\xed\xa0\x80", "\xff\xfe", "\xf4\x90\x80\x80",
    };
    struct fixture *fixture = *state;
    char diff_id[DIGEST_SIZE];
    char path[256];
    int fd = memfd_create("pax", MFD_CLOEXEC);
    struct error err = ERROR_INIT;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "files/%s", names[i]);
        tar_raw_pax(fd, '0', path, NULL);
        tar_raw_pax(fd, '1', names[i], path);
        snprintf(path, sizeof(path), "links/%s", names[i]);
        tar_raw_pax(fd, '2', path, names[i]);
    }
    tar_raw_end(fd);
    if (layer_apply(fd, fixture->tree, &fixture->spool, diff_id, &err) < 0)
        fail_msg("%s", err.text);
    close(fd);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const struct tree_inode *inode = tree_find(fixture->tree, names[i]);

        snprintf(path, sizeof(path), "files/%s", names[i]);
        assert_non_null(inode);
        assert_int_equal(inode->links, 2);
        assert_ptr_equal(inode, tree_find(fixture->tree, path));
    }
    assert_int_equal(tree_count(fixture->tree), 3 + 3 * sizeof(names) / sizeof(names[0]));
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
    assert_tree(fixture, "dangling->nowhere file=1 run/ run/lib/ run/lib/data/ var->run x/");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_attributes, layer_set_up, layer_tear_down),
        cmocka_unit_test_setup_teardown(test_attributes_out_of_range, layer_set_up,
                                        layer_tear_down),
        cmocka_unit_test_setup_teardown(test_sparse, layer_set_up, layer_tear_down),
        cmocka_unit_test_setup_teardown(test_zeros, layer_set_up, layer_tear_down),
        cmocka_unit_test(test_diff_id),
        cmocka_unit_test_setup_teardown(test_truncated, layer_set_up, layer_tear_down),
        cmocka_unit_test_setup_teardown(test_damaged, layer_set_up, layer_tear_down),
        cmocka_unit_test_setup_teardown(test_gzip_members, layer_set_up, layer_tear_down),
        cmocka_unit_test_setup_teardown(test_no_archive, layer_set_up, layer_tear_down),
        cmocka_unit_test_setup_teardown(test_empty, layer_set_up, layer_tear_down),
        cmocka_unit_test_setup_teardown(test_bytes_of_names, layer_set_up, layer_tear_down),
        cmocka_unit_test_setup_teardown(test_find, layer_set_up, layer_tear_down),
        cmocka_unit_test_setup_teardown(test_require_directory, layer_set_up, layer_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
