/* SPDX-License-Identifier: Apache-2.0 */
/* Layers become a tree: whiteouts, links, replacement, names, and malformed entries. */
#include <stdio.h>
#include <sys/stat.h>

#include "tests/unit/image/layer_fixture.h"

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

    /* umoci writes this when a directory becomes a file. */
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

/* By its name alone: aufs stored hard links, to its own whiteout or to another one. */
static void test_whiteout_of_any_type(void **state)
{
    static const char *const metas[] = {".wh..wh.aufs", ".wh..wh.orph/x", ".wh..wh.plnk/10.20"};
    struct fixture *fixture = *state;
    struct tar_maker *maker = &fixture->maker;
    struct archive_entry *entry;

    for (char name[] = "a"; name[0] <= 'h'; name[0]++)
        tar_file(maker, name, "1");
    tar_file(maker, "dir/x", "1");
    tar_file(maker, "dir2/x", "1");
    apply_fine(fixture);
    for (size_t i = 0; i < sizeof(metas) / sizeof(metas[0]); i++)
        tar_file(maker, metas[i], "aufs");
    tar_hardlink(maker, ".wh.a", ".wh..wh.aufs");
    tar_hardlink(maker, ".wh.b", ".wh.a");
    tar_hardlink(maker, ".wh.c", "nothing/there");
    tar_hardlink(maker, ".wh.d", ".wh.d");
    tar_symlink(maker, ".wh.e", "x");
    tar_directory(maker, ".wh.f/");
    entry = tar_entry(".wh.g", AE_IFCHR, 0);
    archive_entry_set_uid(entry, 1LL << 40); /* ignored */
    archive_entry_set_rdevmajor(entry, 0x1000);
    tar_put(maker, entry, NULL, 0);
    tar_hardlink(maker, "dir/.wh..wh..opq", ".wh..wh.aufs");
    tar_directory(maker, "dir2/.wh..wh..opq/");
    tar_hardlink(maker, "linked", ".wh..wh.plnk/10.20");
    apply_fine(fixture);
    assert_tree(fixture, "dir/ dir2/ h=1 linked=aufs");
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
    tar_directory(maker, "a"); /* a directory may be repeated */
    tar_file(maker, "grüße\n", "2");
    tar_file(maker, "...", "3");
    tar_file(maker, "a/..b", "4");
    apply_fine(fixture);
    assert_tree(fixture, "...=3 a/ a/..b=4 a/b=1 grüße\n=2");
}

static void test_malformed_names(void **state)
{
    static const struct {
        const char *path;
        const char *message;
    } rows[] = {
        {"../escape", "'..'"},
        {"/../escape", "'..'"},
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

/* Same as in tar: a leading '/' is the root, and an entry of "/" itself has its attributes. */
static void test_absolute_names(void **state)
{
    struct fixture *fixture = *state;
    struct tar_maker *maker = &fixture->maker;

    tar_put(maker, tar_entry("/", AE_IFDIR, 0700), NULL, 0);
    tar_directory(maker, "//etc/");
    tar_file(maker, "/etc/passwd", "1");
    tar_file(maker, "///.//usr/bin/x", "2");
    tar_hardlink(maker, "/usr/bin/y", "/usr/bin/x");
    apply_fine(fixture);
    assert_tree(fixture, "etc/ etc/passwd=1 usr/ usr/bin/ usr/bin/x=2(2) usr/bin/y=2(2)");
    assert_int_equal(tree_root(fixture->tree)->mode, S_IFDIR | 0700);
    tar_file(maker, "/etc/.wh.passwd", "");
    tar_file(maker, "/usr/.wh..wh..opq", "");
    apply_fine(fixture);
    assert_tree(fixture, "etc/ usr/");
}

/* The last entry of a name counts, and a directory keeps its contents. */
static void test_duplicates(void **state)
{
    struct fixture *fixture = *state;
    struct tar_maker *maker = &fixture->maker;

    tar_file(maker, "a", "1");
    tar_file(maker, "./a", "2");
    tar_directory(maker, "b");
    tar_file(maker, "b/x", "1");
    tar_put(maker, tar_entry("b/", AE_IFDIR, 0711), NULL, 0);
    tar_file(maker, "c/x/y", "1"); /* a directory becomes a file */
    tar_file(maker, "c", "3");
    tar_file(maker, "d", "1"); /* and a file a directory */
    tar_directory(maker, "d");
    tar_file(maker, "d/x", "2");
    tar_directory(maker,
                  "e"); /* and each a symbolic link, which is not followed as the last component */
    tar_file(maker, "e/x", "1");
    tar_symlink(maker, "e", "b");
    tar_symlink(maker, "f", "b");
    tar_file(maker, "f", "4");
    tar_symlink(maker, "g", "b");
    tar_directory(maker, "g");
    apply_fine(fixture);
    assert_tree(fixture, "a=2 b/ b/x=1 c=3 d/ d/x=2 e->b f=4 g/");
    assert_int_equal(tree_find(fixture->tree, "b")->mode, S_IFDIR | 0711);
    tar_symlink(maker, ".", "/etc");
    apply_refused(fixture, ENOTDIR, "root must be a directory");
}

static void test_duplicate_hard_links(void **state)
{
    struct fixture *fixture = *state;
    struct tar_maker *maker = &fixture->maker;

    tar_file(maker, "a", "1");
    tar_hardlink(maker, "b", "a");
    tar_hardlink(maker, "b", "a");
    tar_file(maker, "c", "2");
    tar_hardlink(maker, "c", "a");
    tar_file(maker, "d/x", "3");
    tar_hardlink(maker, "d", "a");
    tar_file(maker, "a", "4");
    tar_hardlink(maker, "c", "a");
    apply_fine(fixture);
    assert_tree(fixture, "a=4(2) b=1(2) c=4(2) d=1(2)");
}

/* Within a layer, followed inside the root; missing parts are created. */
static void test_below_symbolic_links(void **state)
{
    struct fixture *fixture = *state;
    struct tar_maker *maker = &fixture->maker;

    tar_directory(maker, "usr/lib");
    tar_symlink(maker, "lib", "usr/lib");
    tar_file(maker, "lib/x", "1");
    tar_symlink(maker, "lib64", "/lib");
    tar_file(maker, "lib64/sub/y", "2");
    tar_symlink(maker, "usr/up", "../../../..");
    tar_file(maker, "usr/up/z", "3");
    tar_symlink(maker, "later", "not/yet");
    tar_file(maker, "later/w", "4");
    tar_hardlink(maker, "hard", "lib64/x"); /* and in the middle of a hard link's target */
    tar_symlink(maker, "lib/last", "x");
    tar_hardlink(maker, "to-link", "lib/last");
    apply_fine(fixture);
    assert_tree(fixture, "hard=1(2) later->not/yet lib->usr/lib lib64->/lib not/ not/yet/ "
                         "not/yet/w=4 to-link->x(2) usr/ usr/lib/ usr/lib/last->x(2) usr/lib/sub/ "
                         "usr/lib/sub/y=2 usr/lib/x=1(2) usr/up->../../../.. z=3");

    /* A lower layer's link is a name like any other, as in the upper directory of an overlay. */
    tar_file(maker, "lib/new", "5");
    tar_symlink(maker, "srv", "lib64/deep"); /* this layer's, by way of a lower one's */
    tar_file(maker, "srv/v", "6");
    tar_file(maker, "later/.wh.w", "");
    apply_fine(fixture);
    assert_tree(fixture,
                "hard=1(2) later/ lib/ lib/new=5 lib64/ lib64/deep/ lib64/deep/v=6 not/ not/yet/ "
                "not/yet/w=4 srv->lib64/deep to-link->x(2) usr/ usr/lib/ usr/lib/last->x(2) "
                "usr/lib/sub/ usr/lib/sub/y=2 usr/lib/x=1(2) usr/up->../../../.. z=3");
}

static void test_below_unsafe_links(void **state)
{
    struct fixture *fixture = *state;
    struct tar_maker *maker = &fixture->maker;
    char target[TREE_PATH_MAX + 1];

    tar_symlink(maker, "out", "../../../../../../../../etc");
    tar_file(maker, "out/passwd", "1");
    tar_file(maker, "/etc/.wh.passwd", ""); /* spares its own layer, also through a link */
    apply_fine(fixture);
    assert_tree(fixture, "etc/ etc/passwd=1 out->../../../../../../../../etc");
    tar_symlink(maker, "a", "b");
    tar_symlink(maker, "b", "a");
    tar_file(maker, "a/x", "1");
    apply_refused(fixture, ELOOP, "'a/x': more than 40 symbolic links");
    tar_symlink(maker, "self", "self/x");
    tar_file(maker, "self/x", "1");
    apply_refused(fixture, ELOOP, "symbolic links");
    tar_file(maker, "file", "1");
    tar_symlink(maker, "to-file", "file");
    tar_file(maker, "to-file/x", "1");
    apply_refused(fixture, ENOTDIR, "'to-file/x': lies below 'file'");
    tar_file(maker, "plain", "1");
    tar_file(maker, "plain/x", "1");
    apply_refused(fixture, ENOTDIR, "lies below 'plain'");

    /* Deeper than a path can be, and more steps than a walk may take. */
    for (size_t i = 0; i < sizeof(target); i++)
        target[i] = i % 2 ? '/' : 'd';
    target[TREE_PATH_MAX - 100] = '\0';
    tar_symlink(maker, "deep", target);
    tar_symlink(maker, "deep/deep", target);
    tar_file(maker, "deep/deep/x", "1");
    apply_refused(fixture, ENAMETOOLONG, "directories deep");
    for (size_t i = 0; i + 3 < sizeof(target); i += 3)
        memcpy(target + i, "../", 3);
    target[3900] = '\0';
    for (int i = 0; i < 30; i++) {
        char name[16];

        snprintf(name, sizeof(name), "l%d", i);
        snprintf(target + 3900, 16, "l%d", i + 1);
        tar_symlink(maker, name, target);
    }
    tar_file(maker, "l0/x", "1");
    apply_refused(fixture, ELOOP, "lead through more than");
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

static void test_malformed_hard_links(void **state)
{
    struct fixture *fixture = *state;
    struct tar_maker *maker = &fixture->maker;

    tar_hardlink(maker, "a", "b");
    tar_hardlink(maker, "b", "a");
    apply_refused(fixture, ENOENT, "hard link to 'b', which does not exist");
    tar_file(maker, "x", "1");
    tar_hardlink(maker, "x", "x");
    apply_refused(fixture, ELOOP, "to itself");
    tar_directory(maker, "d");
    tar_hardlink(maker, "e", "d");
    apply_refused(fixture, EISDIR, "the directory 'd'");
    tar_hardlink(maker, "f", "../../etc/shadow");
    apply_refused(fixture, EINVAL, "'..'");
    tar_symlink(maker, "l", "l");
    tar_hardlink(maker, "g", "l/y");
    apply_refused(fixture, ELOOP, "hard link to 'l/y'");
    tar_file(maker, "h", "1");
    tar_hardlink(maker, "i", "h/x");
    apply_refused(fixture, ENOENT, "does not exist");
    tar_file(maker, ".wh.h", "");
    tar_hardlink(maker, "i", ".wh.h");
    apply_refused(fixture, ENOENT, "hard link to '.wh.h', which does not exist");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_whiteout, layer_set_up, layer_tear_down),
        cmocka_unit_test_setup_teardown(test_whiteout_spares_its_own_layer, layer_set_up,
                                        layer_tear_down),
        cmocka_unit_test_setup_teardown(test_whiteout_of_any_type, layer_set_up, layer_tear_down),
        cmocka_unit_test_setup_teardown(test_opaque, layer_set_up, layer_tear_down),
        cmocka_unit_test_setup_teardown(test_replacement, layer_set_up, layer_tear_down),
        cmocka_unit_test_setup_teardown(test_names, layer_set_up, layer_tear_down),
        cmocka_unit_test_setup_teardown(test_malformed_names, layer_set_up, layer_tear_down),
        cmocka_unit_test_setup_teardown(test_long_names, layer_set_up, layer_tear_down),
        cmocka_unit_test_setup_teardown(test_absolute_names, layer_set_up, layer_tear_down),
        cmocka_unit_test_setup_teardown(test_duplicates, layer_set_up, layer_tear_down),
        cmocka_unit_test_setup_teardown(test_duplicate_hard_links, layer_set_up, layer_tear_down),
        cmocka_unit_test_setup_teardown(test_below_symbolic_links, layer_set_up, layer_tear_down),
        cmocka_unit_test_setup_teardown(test_below_unsafe_links, layer_set_up, layer_tear_down),
        cmocka_unit_test_setup_teardown(test_hard_links, layer_set_up, layer_tear_down),
        cmocka_unit_test_setup_teardown(test_hard_links_over_layers, layer_set_up, layer_tear_down),
        cmocka_unit_test_setup_teardown(test_malformed_hard_links, layer_set_up, layer_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
