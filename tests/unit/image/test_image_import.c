/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole imports into a store: hand-made image archives, also malformed ones, the names of images,
 * and failures, which do not change the store. (Real images: tests/images/check.)
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/image/import_fixture.h"
#include "tests/unit/unit.h"
#include "vmm/base/cleanup.h"
#include "vmm/image/image.h"

static void test_docker(void **state)
{
    struct import_fixture *fixture = *state;
    AUTO_STORE struct store *store = NULL;
    AUTO_IMAGE struct image *image = NULL;

    import_fixture_add(fixture, import_fixture_layer_name(fixture, "/layer.tar"), fixture->layer,
                       fixture->layer_size);
    import_fixture_add_docker(fixture, import_fixture_layer_name(fixture, "/layer.tar"),
                              "[\"a/b:1\",\"c:latest\"]");
    import_fine(fixture, NULL, false, "a/b:1 c:latest");
    assert_int_equal(store_open(fixture->store, STORE_READ, &store, NULL), 0);
    assert_int_equal(store_count(store), 2);
    assert_int_equal(image_open(store, "a/b:1", &image, NULL), 0);
    assert_string_equal(image->config_digest, fixture->config_digest);
    assert_string_equal(image->passwd, "root:x:0:0::/root:/bin/sh\n");
    assert_string_equal(image->config.cmd.items[0], "sh");
}

/* Old archives link layers that occur twice. */
static void test_docker_links(void **state)
{
    struct import_fixture *fixture = *state;
    char link[DIGEST_SIZE + 16];
    char target[DIGEST_SIZE + 32];

    memset(link, 'a', DIGEST_HEX_LENGTH);
    strcpy(link + DIGEST_HEX_LENGTH, "/layer.tar");
    snprintf(target, sizeof(target), "../%s", import_fixture_layer_name(fixture, ".tar"));
    tar_symlink(&fixture->maker, link, target);
    import_fixture_add(fixture, import_fixture_layer_name(fixture, ".tar"), fixture->layer,
                       fixture->layer_size);
    import_fixture_add_docker(fixture, link, "[\"linked:1\"]");
    import_fine(fixture, NULL, false, "linked:1");
}

static void test_circular_links(void **state)
{
    struct import_fixture *fixture = *state;

    import_fixture_add_docker(fixture, import_fixture_layer_name(fixture, ".tar"), "null");
    tar_symlink(&fixture->maker, import_fixture_layer_name(fixture, ".tar"), "x");
    tar_symlink(&fixture->maker, "x", "y");
    tar_symlink(&fixture->maker, "y", "x");
    import_refused(fixture, ELOOP, "cycle");
}

static void test_links_out(void **state)
{
    struct import_fixture *fixture = *state;

    tar_symlink(&fixture->maker, import_fixture_layer_name(fixture, ".tar"), "/etc/passwd");
    import_fixture_add_docker(fixture, import_fixture_layer_name(fixture, ".tar"), "null");
    import_refused(fixture, ENOENT, "is missing");
    tar_symlink(&fixture->maker, import_fixture_layer_name(fixture, ".tar"),
                "../../../../etc/passwd");
    import_fixture_add_docker(fixture, import_fixture_layer_name(fixture, ".tar"), "null");
    import_refused(fixture, ENOENT, "is missing");
    import_fixture_add_docker(fixture, "../../etc/passwd", "null");
    import_refused(fixture, ENOENT, "is missing");
}

/* Of two members with the same name the last counts, a leading '/' is ignored, and ".." is
 * refused. */
static void test_malformed_members(void **state)
{
    struct import_fixture *fixture = *state;
    char name[256];

    tar_file(&fixture->maker, "/oci-layout", "{}");
    tar_file(&fixture->maker, "blobs/../../x", "{}");
    import_refused(fixture, EINVAL, "'..'");
    tar_file(&fixture->maker, "manifest.json", "[]");
    import_fixture_add(fixture, import_fixture_layer_name(fixture, ".tar"), "evil", 4);
    snprintf(name, sizeof(name), "/%s", import_fixture_layer_name(fixture, ".tar"));
    import_fixture_add(fixture, name, fixture->layer, fixture->layer_size);
    import_fixture_add_docker(fixture, import_fixture_layer_name(fixture, ".tar"), "[\"again:1\"]");
    import_fine(fixture, NULL, false, "again:1");
}

static void test_malformed_docker(void **state)
{
    struct import_fixture *fixture = *state;

    tar_file(&fixture->maker, "manifest.json", "[]");
    import_refused(fixture, EBADMSG, "lists no image");
    tar_file(&fixture->maker, "manifest.json", "{}");
    import_refused(fixture, EBADMSG, "expected a JSON array");
    tar_file(&fixture->maker, "manifest.json", "[7]");
    import_refused(fixture, EBADMSG, "not a list of images");
    tar_file(&fixture->maker, "manifest.json", "[{\"Layers\":[]}]");
    import_refused(fixture, EBADMSG, "without 'Config'");
    tar_file(&fixture->maker, "manifest.json", "[{\"Config\":\"x\",\"Layers\":[1]}]");
    import_refused(fixture, EBADMSG, "'Layers' is not a list of strings");
    /* A config that does not match its name, and a layer that does not match the config. */
    import_fixture_add(fixture, import_fixture_layer_name(fixture, ".tar"), fixture->layer,
                       fixture->layer_size);
    fixture->config[strlen(fixture->config) - 1] = ' ';
    import_fixture_add_docker(fixture, import_fixture_layer_name(fixture, ".tar"), "null");
    import_refused(fixture, EBADMSG, "is damaged");
    import_fixture_config(fixture, platform_host_architecture(), "");
    fixture->layer[0] ^= 1;
    import_fixture_add(fixture, import_fixture_layer_name(fixture, ".tar"), fixture->layer,
                       fixture->layer_size);
    import_fixture_add_docker(fixture, import_fixture_layer_name(fixture, ".tar"), "null");
    import_refused(fixture, EBADMSG, "layer sha256:");
}

static void test_architecture(void **state)
{
    struct import_fixture *fixture = *state;

    import_fixture_config(fixture, "mips64le", "");
    import_fixture_add(fixture, import_fixture_layer_name(fixture, ".tar"), fixture->layer,
                       fixture->layer_size);
    import_fixture_add_docker(fixture, import_fixture_layer_name(fixture, ".tar"), "null");
    import_refused(fixture, ENOEXEC, "for linux/mips64le");
}

static void add_extras(struct import_fixture *fixture)
{
    tar_file(&fixture->maker, "README.md", "# How to load this image\n");
    tar_directory(&fixture->maker, "docs/");
    tar_file(&fixture->maker, "docs/usr/bin/notes", "x");
    tar_symlink(&fixture->maker, "latest", "latest");
    tar_symlink(&fixture->maker, "docs/out", "/etc/passwd");
}

/* Members that no image needs are ignored, and documents may have any name. */
static void test_extra_members(void **state)
{
    struct import_fixture *fixture = *state;

    strcpy(fixture->config_name, "config.json"); /* the name that jib uses */
    import_fixture_add(fixture, "layers/one", fixture->layer, fixture->layer_size);
    add_extras(fixture);
    import_fixture_add_docker(fixture, "layers/one", "[\"docker:1\"]");
    import_fine(fixture, NULL, false, "docker:1");
    assert_int_equal(fixture->kind, LOAD_KIND_DOCKER);
    add_extras(fixture);
    import_fixture_add_oci(fixture, "some/where:1", "some/where:2");
    add_extras(fixture);
    import_fine(fixture, NULL, false, "some/where:1 some/where:2");
    assert_int_equal(fixture->kind, LOAD_KIND_OCI);
}

/* An incomplete input with a mark of an image is refused as an image. */
static void test_broken_images(void **state)
{
    struct import_fixture *fixture = *state;
    char name[128];

    import_fixture_add(fixture, fixture->config_name, fixture->config, strlen(fixture->config));
    add_extras(fixture);
    import_refused(fixture, EBADMSG, "neither index.json nor manifest.json");
    tar_file(&fixture->maker, "oci-layout", "{}");
    add_extras(fixture);
    import_refused(fixture, EBADMSG, "an OCI layout without index.json");
    store_blob_name(fixture->config_digest, name);
    import_fixture_add(fixture, name, fixture->config, strlen(fixture->config));
    import_refused(fixture, EBADMSG, "neither index.json nor manifest.json");
    tar_file(&fixture->maker, "index.json", "{\"manifests\":[");
    add_extras(fixture);
    import_refused(fixture, EBADMSG, "index.json: not valid JSON");
    tar_file(&fixture->maker, "manifest.json", "[{\"Config\":\"x\",\"Layers\":[");
    add_extras(fixture);
    import_refused(fixture, EBADMSG, "manifest.json: not valid JSON");
    tar_file(&fixture->maker, "manifest.json", "");
    import_fixture_add(fixture, import_fixture_layer_name(fixture, "/layer.tar"), fixture->layer,
                       fixture->layer_size);
    import_refused(fixture, EBADMSG, "manifest.json: not valid JSON");
    tar_file(&fixture->maker, "manifest.json", "{\"schemaVersion\":2,\"config\":{},\"layers\":[]}");
    add_extras(fixture);
    import_refused(fixture, ENOTSUP, "skopeo copy dir:");
    tar_file(&fixture->maker, "image/oci-layout", "{}");
    tar_file(&fixture->maker, "image/index.json", "{}");
    import_refused(fixture, ENOTSUP, "in its folder 'image'");
}

/* The layout without oci-layout, and everything as an unpacked directory. */
static void test_directories(void **state)
{
    static const char *const commands[] = {"rm oci-layout", "touch README", "mkfifo fifo"};
    struct import_fixture *fixture = *state;
    char archive[80];
    char command[512];

    strcpy(archive, fixture->archive);
    for (size_t i = 0; i <= sizeof(commands) / sizeof(commands[0]); i++) {
        bool is_docker = i == sizeof(commands) / sizeof(commands[0]);

        if (is_docker) {
            import_fixture_add(fixture, import_fixture_layer_name(fixture, "/layer.tar"),
                               fixture->layer, fixture->layer_size);
            import_fixture_add_docker(fixture, import_fixture_layer_name(fixture, "/layer.tar"),
                                      "[\"some/where:2\"]");
        } else {
            import_fixture_add_oci(fixture, "some/where:1", "some/where:2");
        }
        import_fixture_write(fixture);
        snprintf(command, sizeof(command),
                 "rm -rf '%s/dir' && mkdir '%s/dir' && cd '%s/dir' && tar xf '%s' && %s",
                 fixture->directory, fixture->directory, fixture->directory, archive,
                 is_docker ? "true" : commands[i]);
        assert_int_equal(system(command), 0);
        snprintf(fixture->archive, sizeof(fixture->archive), "%s/dir", fixture->directory);
        import_fine(fixture, NULL, false, is_docker ? "some/where:2" : "some/where:1 some/where:2");
        assert_int_equal(fixture->kind, is_docker ? LOAD_KIND_DOCKER : LOAD_KIND_OCI);
        strcpy(fixture->archive, archive);
    }
}

static void test_names(void **state)
{
    struct import_fixture *fixture = *state;

    for (int i = 0; i < 4; i++) {
        static const char *const tags[] = {"[\"own:1\"]", "[\"own:1\"]", "null", "null"};
        static const char *const names[] = {"given:2", NULL, NULL, "given:2"};
        static const char *const expected[] = {"given:2", "", "my-app:latest", "given:2"};

        import_fixture_add(fixture, import_fixture_layer_name(fixture, ".tar"), fixture->layer,
                           fixture->layer_size);
        import_fixture_add_docker(fixture, import_fixture_layer_name(fixture, ".tar"), tags[i]);
        import_fine(fixture, names[i], i == 1, expected[i]);
    }
}

static void test_bad_name(void **state)
{
    struct import_fixture *fixture = *state;
    struct error err = ERROR_INIT;
    char names[512];

    import_fixture_add(fixture, import_fixture_layer_name(fixture, ".tar"), fixture->layer,
                       fixture->layer_size);
    import_fixture_add_docker(fixture, import_fixture_layer_name(fixture, ".tar"),
                              "[\"Not:Valid\"]");
    import_refused(fixture, EINVAL, "--name");
    tar_file(&fixture->maker, "bin/sh", "x");
    assert_int_equal(import_fixture_run(fixture, "a@b", false, names, &err), -EINVAL);
}

static void test_several(void **state)
{
    struct import_fixture *fixture = *state;
    struct error err = ERROR_INIT;
    char names[512];

    import_fixture_add_oci(fixture, "1", "some/where:2");
    import_fine(fixture, NULL, false, "my-app:1 some/where:2");
    import_fixture_add_oci(fixture, "1", "latest");
    import_fine(fixture, "chosen:x", false, "chosen:x");
    import_fixture_add_oci(fixture, "1", "2");
    assert_int_equal(import_fixture_run(fixture, "chosen:x", false, names, &err), -ENOTUNIQ);
    import_fixture_add_oci(fixture, "1", "2");
    assert_int_equal(import_fixture_run(fixture, NULL, true, names, &err), -ENOTUNIQ);
    assert_non_null(strstr(err.text, "holds 2 images"));
}

static void test_missing_blob(void **state)
{
    struct import_fixture *fixture = *state;

    tar_file(&fixture->maker, "oci-layout", "{}");
    tar_file(&fixture->maker, "index.json",
             "{\"manifests\":[{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
             "\"digest\":\"sha256:"
             "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\",\"size\":3}]}");
    import_refused(fixture, ENOENT, "is missing");
}

static void test_root(void **state)
{
    struct import_fixture *fixture = *state;
    AUTO_STORE struct store *store = NULL;
    AUTO_IMAGE struct image *image = NULL;

    tar_file(&fixture->maker, "etc/passwd", "root:x:0:0::/:/bin/sh\n");
    tar_file(&fixture->maker, "manifest.json", "{\"name\":\"no image's, but of the root\"}");
    tar_file(&fixture->maker, "index.json", "also");
    import_fine(fixture, NULL, false, "my-app:latest");
    assert_int_equal(fixture->kind, LOAD_KIND_ROOT);
    assert_int_equal(store_open(fixture->store, STORE_READ, &store, NULL), 0);
    assert_int_equal(image_open(store, "my-app", &image, NULL), 0);
    assert_int_equal(image->config.cmd.count + image->config.entrypoint.count, 0);
    assert_string_equal(image->passwd, "root:x:0:0::/:/bin/sh\n");
}

static void test_malformed_root(void **state)
{
    struct import_fixture *fixture = *state;

    tar_file(&fixture->maker, "bin/sh", "x");
    tar_file(&fixture->maker, "../../etc/cron.d/evil", "y");
    import_refused(fixture, EINVAL, "'..'");
    import_refused(fixture, EBADMSG, "empty");
}

static void test_volumes(void **state)
{
    struct import_fixture *fixture = *state;
    AUTO_STORE struct store *store = NULL;
    AUTO_IMAGE struct image *image = NULL;

    import_fixture_config(
        fixture, platform_host_architecture(),
        ",\"Volumes\":{\"/data/b\":{},\"/data/a\":{}},\"WorkingDir\":\"/srv/app\"");
    import_fixture_add(fixture, import_fixture_layer_name(fixture, ".tar"), fixture->layer,
                       fixture->layer_size);
    import_fixture_add_docker(fixture, import_fixture_layer_name(fixture, ".tar"),
                              "[\"volumes:1\"]");
    import_fine(fixture, NULL, false, "volumes:1");
    assert_int_equal(store_open(fixture->store, STORE_READ, &store, NULL), 0);
    assert_int_equal(image_open(store, "volumes:1", &image, NULL), 0);
    assert_int_equal(image->config.volumes.count, 2);
    assert_string_equal(image->config.volumes.items[0], "/data/a");
}

/* The second import of an image finds it and adds nothing but a name. */
static void test_again(void **state)
{
    struct import_fixture *fixture = *state;
    int before[2];

    for (int i = 0; i < 2; i++) {
        import_fixture_add(fixture, import_fixture_layer_name(fixture, ".tar"), fixture->layer,
                           fixture->layer_size);
        import_fixture_add_docker(fixture, import_fixture_layer_name(fixture, ".tar"), "[\"a:1\"]");
        import_fine(fixture, NULL, false, "a:1");
        before[i] = import_fixture_files(fixture);
    }
    assert_int_equal(before[1], before[0]);
    import_fixture_add_oci(fixture, "2",
                           "3"); /* in another form, with another manifest: the same image */
    import_fine(fixture, NULL, false, "my-app:2 my-app:3");
    assert_int_equal(import_fixture_files(fixture), before[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_docker, import_fixture_set_up,
                                        import_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_docker_links, import_fixture_set_up,
                                        import_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_circular_links, import_fixture_set_up,
                                        import_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_links_out, import_fixture_set_up,
                                        import_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_malformed_members, import_fixture_set_up,
                                        import_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_directories, import_fixture_set_up,
                                        import_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_broken_images, import_fixture_set_up,
                                        import_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_extra_members, import_fixture_set_up,
                                        import_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_malformed_docker, import_fixture_set_up,
                                        import_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_architecture, import_fixture_set_up,
                                        import_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_names, import_fixture_set_up,
                                        import_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_bad_name, import_fixture_set_up,
                                        import_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_several, import_fixture_set_up,
                                        import_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_missing_blob, import_fixture_set_up,
                                        import_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_root, import_fixture_set_up, import_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_malformed_root, import_fixture_set_up,
                                        import_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_volumes, import_fixture_set_up,
                                        import_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_again, import_fixture_set_up,
                                        import_fixture_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
