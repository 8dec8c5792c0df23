/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: layers become a tree: whiteouts, links, replacement, names, and everything crooked. */
#include <locale.h>

#include "tests/unit/layer_fixture.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_whiteout, layer_set_up, layer_tear_down),
        cmocka_unit_test_setup_teardown(test_whiteout_spares_its_own_layer, layer_set_up,
                                        layer_tear_down),
        cmocka_unit_test_setup_teardown(test_opaque, layer_set_up, layer_tear_down),
        cmocka_unit_test_setup_teardown(test_replacement, layer_set_up, layer_tear_down),
        cmocka_unit_test_setup_teardown(test_names, layer_set_up, layer_tear_down),
        cmocka_unit_test_setup_teardown(test_crooked_names, layer_set_up, layer_tear_down),
        cmocka_unit_test_setup_teardown(test_long_names, layer_set_up, layer_tear_down),
        cmocka_unit_test_setup_teardown(test_duplicates, layer_set_up, layer_tear_down),
        cmocka_unit_test_setup_teardown(test_below_no_directory, layer_set_up, layer_tear_down),
        cmocka_unit_test_setup_teardown(test_hard_links, layer_set_up, layer_tear_down),
        cmocka_unit_test_setup_teardown(test_hard_links_over_layers, layer_set_up, layer_tear_down),
        cmocka_unit_test_setup_teardown(test_crooked_hard_links, layer_set_up, layer_tear_down),
    };

    setlocale(LC_CTYPE, "C.UTF-8"); /* as microvm-import does */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
