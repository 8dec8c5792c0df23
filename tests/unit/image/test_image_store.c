/* SPDX-License-Identifier: Apache-2.0 */
/* The image store: names, lookup, removal, pruning, damage. Its images are hand-made. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "vmm/base/cleanup.h"
#include "vmm/image/config.h"
#include "vmm/image/image.h"
#include "vmm/image/store.h"
#include "vmm/image/store_root.h"

struct fixture {
    char path[64];
    struct store *store;
};

static int remove_item(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

static void reopen(struct fixture *fixture, enum store_access access)
{
    struct error err = ERROR_INIT;

    if (fixture->store)
        store_close(fixture->store);
    fixture->store = NULL;
    if (store_open(fixture->path, access, &fixture->store, &err) != 0)
        fail_msg("%s", err.text);
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    assert_non_null(fixture);
    strcpy(fixture->path, "/tmp/test-store.XXXXXX");
    assert_non_null(mkdtemp(fixture->path));
    strcat(fixture->path, "/deep/store");
    reopen(fixture, STORE_WRITE);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    if (fixture->store)
        store_close(fixture->store);
    fixture->path[strlen(fixture->path) - strlen("/deep/store")] = '\0';
    assert_int_equal(nftw(fixture->path, remove_item, 8, FTW_DEPTH | FTW_PHYS), 0);
    free(fixture);
    return 0;
}

static void write_file(const struct fixture *fixture, const char *name, const char *text)
{
    int fd = openat(store_directory(fixture->store), name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static bool has_file(const struct fixture *fixture, const char *name)
{
    return faccessat(store_directory(fixture->store), name, F_OK, 0) == 0;
}

static void write_blob(const struct fixture *fixture, const char *text, char digest[DIGEST_SIZE])
{
    char name[STORE_NAME_SIZE];

    digest_of(text, strlen(text), digest);
    store_blob_name(digest, name);
    write_file(fixture, name, text);
}

/* A complete image, different for each `mark`. */
static void make_image(const struct fixture *fixture, const char *mark, const char *architecture,
                       char manifest[DIGEST_SIZE], char config[DIGEST_SIZE])
{
    char layer[DIGEST_SIZE];
    char text[1024];
    char name[STORE_NAME_SIZE];

    write_blob(fixture, mark, layer);
    snprintf(
        text, sizeof(text),
        "{\"architecture\":\"%s\",\"os\":\"linux\",\"author\":\"%s\",\"config\":{\"Cmd\":[\"%s\"]},"
        "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"%s\"]}}",
        architecture, mark, mark, layer);
    write_blob(fixture, text, config);
    snprintf(
        text, sizeof(text),
        "{\"schemaVersion\":2,\"config\":{\"digest\":\"%s\",\"size\":1},\"layers\":[{\"mediaType\":"
        "\"application/vnd.oci.image.layer.v1.tar\",\"digest\":\"%s\",\"size\":1}]}",
        config, layer);
    write_blob(fixture, text, manifest);
    store_root_name(config, ".squashfs", name);
    write_file(fixture, name, mark);
}

static const struct store_entry *resolve(const struct fixture *fixture, const char *text)
{
    const struct store_entry *entry = NULL;
    struct reference reference;
    struct error err = ERROR_INIT;

    assert_int_equal(reference_parse(text, &reference, &err), 0);
    if (store_resolve(fixture->store, &reference, &entry, &err) != 0) {
        assert_true(err.code == ENOENT || err.code == ENOTUNIQ);
        return NULL;
    }
    return entry;
}

static void tag(const struct fixture *fixture, const char *name, const char *digest)
{
    struct error err = ERROR_INIT;

    if (store_tag(fixture->store, name, digest, 1, &err) != 0)
        fail_msg("%s", err.text);
}

static void test_names(void **state)
{
    struct fixture *fixture = *state;
    char one[DIGEST_SIZE];
    char two[DIGEST_SIZE];
    char config[DIGEST_SIZE];

    make_image(fixture, "one", "amd64", one, config);
    make_image(fixture, "two", "amd64", two, config);
    assert_null(resolve(fixture, "a"));
    tag(fixture, "a:latest", one);
    tag(fixture, "a:2", two);
    tag(fixture, "a:2", two); /* again: nothing changes */
    assert_int_equal(store_count(fixture->store), 2);
    assert_string_equal(resolve(fixture, "a")->digest, one);
    assert_string_equal(resolve(fixture, "docker.io/library/a:2")->digest, two);

    /* A name that moves leaves its image without one; a new name takes that entry's place. */
    tag(fixture, "a:latest", two);
    assert_int_equal(store_count(fixture->store), 3);
    assert_string_equal(resolve(fixture, "a")->digest, two);
    reopen(fixture, STORE_READ);
    assert_int_equal(store_count(fixture->store), 3);
    assert_string_equal(store_entry(fixture->store, 0)->name, "");
    reopen(fixture, STORE_WRITE);
    tag(fixture, "b:1", one);
    assert_int_equal(store_count(fixture->store), 3);
    assert_string_equal(resolve(fixture, "b:1")->digest, one);
    assert_int_equal(store_remove(fixture->store, "a:2", two, NULL), 0);
    assert_null(resolve(fixture, "a:2"));
    assert_non_null(resolve(fixture, "a"));
    assert_int_equal(store_remove(fixture->store, "", two, NULL), 0);
    assert_null(resolve(fixture, "a"));
}

static void test_digests_and_ids(void **state)
{
    struct fixture *fixture = *state;
    char one[DIGEST_SIZE];
    char two[DIGEST_SIZE];
    char config_one[DIGEST_SIZE];
    char config_two[DIGEST_SIZE];
    char text[200];

    make_image(fixture, "one", "amd64", one, config_one);
    make_image(fixture, "two", "amd64", two, config_two);
    tag(fixture, "a:1", one);
    tag(fixture, "also:1", one);
    tag(fixture, "", two);
    snprintf(text, sizeof(text), "a@%s", one);
    assert_string_equal(resolve(fixture, text)->name, "a:1");
    snprintf(text, sizeof(text), "b@%s", one);
    assert_null(resolve(fixture, text));
    assert_string_equal(resolve(fixture, config_two)->digest, two);
    assert_string_equal(resolve(fixture, two)->digest, two);
    snprintf(text, sizeof(text), "%.12s", config_one + DIGEST_PREFIX_LENGTH);
    assert_string_equal(resolve(fixture, text)->digest,
                        one); /* two names, one image: not ambiguous */
    text[11] = text[11] == '0' ? '1' : '0';
    assert_null(resolve(fixture, text));
    assert_null(resolve(fixture, "sha256:ffffffffffff"));

    /* A name that looks like an ID is a name first. */
    snprintf(text, sizeof(text), "%.8s:latest", config_one + DIGEST_PREFIX_LENGTH);
    tag(fixture, text, two);
    text[8] = '\0';
    assert_string_equal(resolve(fixture, text)->digest, two);
}

static void test_ambiguous_id(void **state)
{
    struct fixture *fixture = *state;
    bool found = false;

    /* Seventeen images: two of them share their first digit. */
    for (int i = 0; i < 17; i++) {
        char manifest[DIGEST_SIZE];
        char config[DIGEST_SIZE];
        char mark[16];

        snprintf(mark, sizeof(mark), "image %d", i);
        make_image(fixture, mark, "amd64", manifest, config);
        tag(fixture, "", manifest);
    }
    for (int digit = 0; digit < 16; digit++) {
        const struct store_entry *entry;
        struct reference reference;
        struct error err = ERROR_INIT;
        char text[16];

        snprintf(text, sizeof(text), "sha256:%x", (unsigned)digit);
        assert_int_equal(reference_parse(text, &reference, NULL), 0);
        found |= store_resolve(fixture->store, &reference, &entry, &err) == -ENOTUNIQ;
    }
    assert_true(found);
}

/* Records the parts of a root, as after an import. */
static void record_root(struct fixture *fixture, const char *config)
{
    struct store_root root = {0};
    char name[STORE_NAME_SIZE];

    memcpy(root.config_digest, config, DIGEST_SIZE);
    for (int part = 0; part < STORE_ROOT_PARTS; part++) {
        AUTO_CLOSE int fd = -1;

        store_root_part_name(config, part, name);
        fd = openat(store_directory(fixture->store), name, O_RDONLY | O_CLOEXEC);
        if (fd >= 0)
            assert_int_equal(digest_of_file(fd, root.parts[part].digest), 0);
    }
    assert_int_equal(store_root_write(fixture->store, &root, NULL), 0);
}

/* A root that has changed since the import does not open. */
static void test_root_digest(void **state)
{
    struct fixture *fixture = *state;
    char manifest[DIGEST_SIZE];
    char config[DIGEST_SIZE];
    char name[STORE_NAME_SIZE];
    char stamp[STORE_STAMP_SIZE];
    struct error err = ERROR_INIT;
    struct store_root root;
    struct image *image;

    make_image(fixture, "one", platform_host_architecture(), manifest, config);
    tag(fixture, "a:latest", manifest);
    assert_int_equal(image_open(fixture->store, "a", &image, &err), -ENOENT); /* no record */
    assert_non_null(strstr(err.text, "load the image again"));
    store_root_name(config, ".passwd", name);
    write_file(fixture, name, "root:x:0:0::/:/bin/sh\n");
    record_root(fixture, config);
    assert_int_equal(image_open(fixture->store, "a", &image, &err), 0);
    image_close(image);

    /* Another time, the same content: accepted, and recorded. */
    assert_int_equal(store_root_read(fixture->store, config, &root, NULL), 0);
    memcpy(stamp, root.parts[STORE_ROOT_SQUASHFS].stamp, sizeof(stamp));
    store_root_part_name(config, STORE_ROOT_SQUASHFS, name);
    assert_int_equal(
        utimensat(store_directory(fixture->store), name, (struct timespec[]){{1, 0}, {1, 0}}, 0),
        0);
    assert_int_equal(image_open(fixture->store, "a", &image, &err), 0);
    image_close(image);
    assert_int_equal(store_root_read(fixture->store, config, &root, NULL), 0);
    assert_string_not_equal(root.parts[STORE_ROOT_SQUASHFS].stamp, stamp);

    /* Another content. */
    for (int part = 0; part < 2; part++) {
        store_root_part_name(config, part, name);
        write_file(fixture, name, "evil:x:0:0::/:/bin/sh\n");
        assert_int_equal(image_open(fixture->store, "a", &image, &err), -EBADMSG);
        assert_non_null(strstr(err.text, "is damaged"));
        record_root(fixture, config);
    }
    assert_int_equal(unlinkat(store_directory(fixture->store), name, 0), 0);
    assert_int_equal(symlinkat("/etc/passwd", store_directory(fixture->store), name), 0);
    assert_true(image_open(fixture->store, "a", &image, &err) < 0);
}

static void test_image_open(void **state)
{
    struct fixture *fixture = *state;
    char manifest[DIGEST_SIZE];
    char config[DIGEST_SIZE];
    char name[STORE_NAME_SIZE];
    struct error err = ERROR_INIT;
    struct image *image;

    make_image(fixture, "one", platform_host_architecture(), manifest, config);
    tag(fixture, "a:latest", manifest);
    store_root_name(config, ".passwd", name);
    write_file(fixture, name, "root:x:0:0::/:/bin/sh\n");
    record_root(fixture, config);
    assert_int_equal(image_open(fixture->store, "a", &image, &err), 0);
    assert_string_equal(image->name, "a:latest");
    assert_string_equal(image->manifest_digest, manifest);
    assert_string_equal(image->config_digest, config);
    assert_string_equal(image->config.cmd.items[0], "one");
    assert_string_equal(image->passwd, "root:x:0:0::/:/bin/sh\n");
    assert_string_equal(image->group, "");
    assert_true(image->root_fd >= 0);
    assert_int_equal(access(image->root_path, R_OK), 0);
    image_close(image);

    assert_int_equal(image_open(fixture->store, "./a", &image, &err), -EINVAL);
    store_root_name(config, ".squashfs", name);
    assert_int_equal(unlinkat(store_directory(fixture->store), name, 0), 0);
    assert_int_equal(image_open(fixture->store, "a", &image, &err), -ENOENT);
    assert_non_null(strstr(err.text, "load the image again"));
}

static void test_other_architecture(void **state)
{
    struct fixture *fixture = *state;
    char manifest[DIGEST_SIZE];
    char config[DIGEST_SIZE];
    struct error err = ERROR_INIT;
    struct image *image;

    make_image(fixture, "one", "s390x", manifest, config);
    tag(fixture, "a:latest", manifest);
    assert_int_equal(image_open(fixture->store, "a", &image, &err), -ENOEXEC);
    assert_non_null(strstr(err.text, "s390x"));
}

static void test_damage(void **state)
{
    struct fixture *fixture = *state;
    char manifest[DIGEST_SIZE];
    char config[DIGEST_SIZE];
    char name[STORE_NAME_SIZE];
    struct error err = ERROR_INIT;
    struct store_pruned pruned;
    struct image *image;

    make_image(fixture, "one", platform_host_architecture(), manifest, config);
    tag(fixture, "a:latest", manifest);
    store_blob_name(config, name);
    write_file(fixture, name, "{}");
    assert_int_equal(image_open(fixture->store, "a", &image, &err), -EBADMSG);
    assert_non_null(strstr(err.text, "is damaged"));
    store_blob_name(manifest, name);
    write_file(fixture, name, "{}");
    assert_int_equal(image_open(fixture->store, "a", &image, &err), -EBADMSG);
    /* What it refers to is unknown, so nothing may be removed. */
    assert_int_equal(store_prune(fixture->store, false, &pruned, &err), -EBADMSG);
    store_blob_name(config, name);
    assert_true(has_file(fixture, name));
    write_file(fixture, "index.json", "{\"manifests\":[{\"digest\":\"sha256:..\",\"size\":1}]}");
    store_close(fixture->store);
    fixture->store = NULL;
    assert_int_equal(store_open(fixture->path, STORE_READ, &fixture->store, &err), -EBADMSG);
}

static void test_prune(void **state)
{
    struct fixture *fixture = *state;
    char one[DIGEST_SIZE];
    char two[DIGEST_SIZE];
    char config_one[DIGEST_SIZE];
    char config_two[DIGEST_SIZE];
    char stray[DIGEST_SIZE];
    char name[STORE_NAME_SIZE];
    struct store_pruned pruned;

    make_image(fixture, "one", "amd64", one, config_one);
    make_image(fixture, "two", "amd64", two, config_two);
    tag(fixture, "a:1", one);
    tag(fixture, "", two);
    write_blob(fixture, "stray!", stray);
    assert_int_equal(mkdirat(store_directory(fixture->store), "tmp/1.0", 0700), 0);
    write_file(fixture, "tmp/1.0/part", "left over");
    assert_int_equal(store_prune(fixture->store, false, &pruned, NULL), 0);
    assert_int_equal(pruned.files, 2);
    assert_int_equal(pruned.bytes, strlen("stray!") + strlen("left over"));
    assert_false(has_file(fixture, "tmp/1.0"));
    store_root_name(config_two, ".squashfs", name);
    assert_true(has_file(fixture, name));

    assert_int_equal(store_prune(fixture->store, true, &pruned, NULL), 0);
    assert_int_equal(pruned.files, 4); /* manifest, config, layer, root */
    assert_false(has_file(fixture, name));
    store_root_name(config_one, ".squashfs", name);
    assert_true(has_file(fixture, name));
    assert_int_equal(store_count(fixture->store), 1);
}

static void test_missing_store(void **state)
{
    struct fixture *fixture = *state;
    struct store *store;
    char path[128];

    snprintf(path, sizeof(path), "%s/none", fixture->path);
    assert_int_equal(store_open(path, STORE_READ, &store, NULL), 0);
    assert_int_equal(store_count(store), 0);
    store_close(store);
    assert_int_equal(access(path, F_OK), -1); /* reading creates nothing */
}

static void test_foreign_directory(void **state)
{
    struct fixture *fixture = *state;
    struct error err = ERROR_INIT;
    struct store *store;
    char path[128];

    snprintf(path, sizeof(path), "%s/blobs", fixture->path); /* it contains a folder */
    assert_int_equal(store_open(path, STORE_WRITE, &store, &err), -EINVAL);
    assert_non_null(strstr(err.text, "MICROVM_STORE"));
    snprintf(path, sizeof(path), "%s/blobs/lock", fixture->path);
    assert_int_equal(access(path, F_OK), -1);
    snprintf(path, sizeof(path), "%s/oci-layout", fixture->path);
    assert_int_equal(store_open(path, STORE_READ, &store, &err), -ENOTDIR);
}

/* A writer waits for the readers: it is not done while one exists. */
/* A store that another user can change is not used. */
static void test_owner(void **state)
{
    static const char *const folders[] = {"", "/roots", "/blobs/sha256", "/index.json"};
    struct fixture *fixture = *state;
    struct error err = ERROR_INIT;
    char manifest[DIGEST_SIZE];
    char config[DIGEST_SIZE];
    struct store *store;

    make_image(fixture, "one", platform_host_architecture(), manifest, config);
    tag(fixture, "a:latest", manifest);
    store_close(fixture->store);
    for (size_t i = 0; i < 4; i++) {
        char path[128];
        struct stat before;

        snprintf(path, sizeof(path), "%s%s", fixture->path, folders[i]);
        assert_int_equal(stat(path, &before), 0);
        for (mode_t mode = 020; mode >= 02; mode >>= 3) {
            assert_int_equal(chmod(path, before.st_mode | mode), 0);
            assert_int_equal(store_open(fixture->path, STORE_READ, &store, &err), -EPERM);
            assert_int_equal(store_open(fixture->path, STORE_WRITE, &store, &err), -EPERM);
            assert_non_null(strstr(err.text, "can write to it"));
        }
        assert_int_equal(chmod(path, before.st_mode), 0);
        if (geteuid() == 0) {
            assert_int_equal(chown(path, 12345, 0), 0);
            assert_int_equal(store_open(fixture->path, STORE_READ, &store, &err), -EPERM);
            assert_non_null(strstr(err.text, "belongs to user 12345"));
            assert_int_equal(chown(path, 0, 0), 0);
        }
    }
    assert_int_equal(store_open(fixture->path, STORE_WRITE, &fixture->store, &err), 0);
}

static void test_lock(void **state)
{
    struct fixture *fixture = *state;
    int status;
    pid_t child;

    reopen(fixture, STORE_READ);
    child = fork();
    if (child == 0) {
        struct store *store;

        store_close(fixture->store); /* its lock is shared with the parent's descriptor */
        _exit(store_open(fixture->path, STORE_WRITE, &store, NULL) == 0 ? 0 : 1);
    }
    usleep(100000);
    assert_int_equal(waitpid(child, &status, WNOHANG), 0);
    store_close(fixture->store);
    fixture->store = NULL;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void test_default_path(void **state)
{
    char *path;

    (void)state;
    setenv("MICROVM_STORE", "/somewhere", 1);
    assert_int_equal(store_default_path(&path, NULL), 0);
    assert_string_equal(path, "/somewhere");
    free(path);
    unsetenv("MICROVM_STORE");
    assert_int_equal(store_default_path(&path, NULL), 0);
    assert_int_equal(path[0], '/');
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_digests_and_ids, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ambiguous_id, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_root_digest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_image_open, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_other_architecture, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damage, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_prune, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_missing_store, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_foreign_directory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_owner, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lock, set_up, tear_down),
        cmocka_unit_test(test_default_path),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
