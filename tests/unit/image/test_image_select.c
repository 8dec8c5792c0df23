/* SPDX-License-Identifier: Apache-2.0 */
/* Which image of a layout is loaded, and digests of SHA-512: hand-made layouts in a directory. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/image/import_here.h"
#include "tests/unit/image/tar_maker.h"
#include "tests/unit/unit.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/io.h"
#include "vmm/image/image.h"

#define MANIFEST_TYPE "application/vnd.oci.image.manifest.v1+json"
#define INDEX_TYPE    "application/vnd.oci.image.index.v1+json"

struct fixture {
    char directory[64];
    char layout[80];
    char store[80];
    const char *algorithm; /* "sha256:" or "sha512:", for the next blob */
    char layer[2048];
    char index[16384];
    bool spoil_diff_id;
    bool spoil_layer;
};

static int remove_item(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

static void write_file(const struct fixture *fixture, const char *name, const void *data,
                       size_t size)
{
    char path[512];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", fixture->layout, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(io_write_all(fd, data, size), 0);
    close(fd);
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    static const char *const folders[] = {"", "/blobs", "/blobs/sha256", "/blobs/sha512"};
    struct tar_maker maker;
    int fd;

    assert_non_null(fixture);
    strcpy(fixture->directory, "/tmp/test-select.XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    snprintf(fixture->layout, sizeof(fixture->layout), "%s/lay", fixture->directory);
    snprintf(fixture->store, sizeof(fixture->store), "%s/store", fixture->directory);
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        char path[128];

        snprintf(path, sizeof(path), "%s%s", fixture->layout, folders[i]);
        assert_int_equal(mkdir(path, 0755), 0);
    }
    tar_begin(&maker, TAR_PLAIN);
    tar_file(&maker, "file", "1");
    fd = tar_end(&maker);
    assert_int_equal(read(fd, fixture->layer, sizeof(fixture->layer)), sizeof(fixture->layer));
    close(fd);
    fixture->algorithm = "sha256:";
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(nftw(fixture->directory, remove_item, 8, FTW_DEPTH | FTW_PHYS), 0);
    free(fixture);
    return 0;
}

static void digest_as(const struct fixture *fixture, const void *data, size_t size,
                      char digest[DIGEST_ANY_SIZE])
{
    struct digest_hash hash;

    digest_hash_begin(&hash, fixture->algorithm);
    digest_hash_update(&hash, data, size);
    digest_hash_end(&hash, digest);
}

/* Stores a blob; `descriptor` gets its digest and size. */
static void put(const struct fixture *fixture, const void *data, size_t size, char descriptor[256])
{
    char digest[DIGEST_ANY_SIZE];
    char name[DIGEST_ANY_SIZE + 16];

    digest_as(fixture, data, size, digest);
    snprintf(name, sizeof(name), "blobs/%.6s/%s", digest, digest + 7);
    write_file(fixture, name, data, size);
    snprintf(descriptor, 256, "\"digest\":\"%s\",\"size\":%zu", digest, size);
}

/* Stores an image whose environment has MADE=`mark`; `descriptor` is its manifest's. */
static void put_image(struct fixture *fixture, const char *mark, char descriptor[256])
{
    char diff_id[DIGEST_ANY_SIZE];
    char config[1024];
    char manifest[2048];
    char config_at[256];
    char layer_at[256];
    const size_t size = sizeof(fixture->layer);

    digest_as(fixture, fixture->layer, size, diff_id);
    if (fixture->spoil_diff_id)
        diff_id[20] = diff_id[20] == '0' ? '1' : '0';
    snprintf(config, sizeof(config),
             "{\"config\":{\"Env\":[\"MADE=%s\"]},\"rootfs\":{\"diff_ids\":[\"%s\"]}}", mark,
             diff_id);
    put(fixture, config, strlen(config), config_at);
    put(fixture, fixture->layer, size, layer_at);
    if (fixture->spoil_layer)
        layer_at[30] = layer_at[30] == '0' ? '1' : '0';
    snprintf(manifest, sizeof(manifest),
             "{\"config\":{%s},\"layers\":[{\"mediaType\":"
             "\"application/vnd.oci.image.layer.v1.tar\",%s}]}",
             config_at, layer_at);
    put(fixture, manifest, strlen(manifest), descriptor);
}

/* Adds an entry to the unfinished index. */
static void add_entry(struct fixture *fixture, const char *type, const char *descriptor,
                      const char *more)
{
    size_t used = strlen(fixture->index);

    snprintf(fixture->index + used, sizeof(fixture->index) - used, "%s{\"mediaType\":\"%s\",%s%s}",
             used ? "," : "", type, descriptor, more);
}

static void add_image(struct fixture *fixture, const char *mark, const char *more)
{
    char descriptor[256];

    put_image(fixture, mark, descriptor);
    add_entry(fixture, MANIFEST_TYPE, descriptor, more);
}

/* Stores the index as a blob and begins another one. */
static void nest(struct fixture *fixture, char descriptor[256])
{
    char text[sizeof(fixture->index) + 64];

    snprintf(text, sizeof(text), "{\"manifests\":[%s]}", fixture->index);
    put(fixture, text, strlen(text), descriptor);
    fixture->index[0] = '\0';
}

static int load(struct fixture *fixture, const char *name, char names[256], struct error *err)
{
    AUTO_STRING_LIST struct string_list ids = {0};
    AUTO_STRING_LIST struct string_list given = {0};
    const struct load_options options = {
        .store = fixture->store,
        .path = fixture->layout,
        .name = name,
        .limits = LOAD_LIMITS_DEFAULT,
    };
    char text[sizeof(fixture->index) + 64];
    int rc;

    snprintf(text, sizeof(text), "{\"manifests\":[%s]}", fixture->index);
    write_file(fixture, "index.json", text, strlen(text));
    fixture->index[0] = '\0';
    rc = import_here(&options, &ids, &given, err);
    names[0] = '\0';
    for (size_t i = 0; rc == 0 && i < given.count; i++) {
        strcat(names, i ? " " : "");
        strcat(names, given.items[i]);
    }
    return rc;
}

/* Loads, with and without a name, and checks which image it was. */
static void expect(struct fixture *fixture, const char *mark)
{
    static const char *const options[] = {NULL, "given:1"};
    char index[sizeof(fixture->index)];
    char wanted[64];

    strcpy(index, fixture->index);
    snprintf(wanted, sizeof(wanted), "MADE=%s", mark);
    for (size_t i = 0; i < 2; i++) {
        AUTO_STORE struct store *store = NULL;
        AUTO_IMAGE struct image *image = NULL;
        struct error err = ERROR_INIT;
        char names[256];

        strcpy(fixture->index, index);
        if (load(fixture, options[i], names, &err) < 0)
            fail_msg("%s", err.text);
        assert_string_equal(names, options[i] ? options[i] : "lay:latest");
        assert_int_equal(store_open(fixture->store, STORE_READ, &store, NULL), 0);
        assert_int_equal(image_open(store, names, &image, &err), 0);
        assert_string_equal(image->config.env.items[0], wanted);
    }
}

static void refuse(struct fixture *fixture, int code, const char *message)
{
    struct error err = ERROR_INIT;
    char names[256];

    assert_int_equal(load(fixture, NULL, names, &err), -code);
    if (!strstr(err.text, message))
        fail_msg("no '%s' in: %s", message, err.text);
}

#define HOST "\"os\":\"linux\",\"architecture\":\"amd64\""

static void test_platforms(void **state)
{
    struct fixture *fixture = *state;

    add_image(fixture, "windows", ",\"platform\":{\"os\":\"windows\",\"architecture\":\"amd64\"}");
    add_image(fixture, "s390x", ",\"platform\":{\"os\":\"linux\",\"architecture\":\"s390x\"}");
    add_image(fixture, "future", ",\"platform\":{" HOST ",\"variant\":\"v9\"}");
    refuse(fixture, ENOEXEC, "windows/amd64, linux/s390x, linux/amd64/v9");
    add_image(fixture, "s390x", ",\"platform\":{\"os\":\"linux\",\"architecture\":\"s390x\"}");
    add_image(fixture, "unsaid", "");
    expect(fixture, "unsaid");
#if defined(__x86_64__)
    add_image(fixture, "unsaid", "");
    add_image(fixture, "s390x", ",\"platform\":{\"os\":\"linux\",\"architecture\":\"s390x\"}");
    add_image(fixture, "first", ",\"platform\":{" HOST "}");
    add_image(fixture, "second", ",\"platform\":{" HOST "}");
    add_image(fixture, "future", ",\"platform\":{" HOST ",\"variant\":\"v9\"}");
    expect(fixture, "first");
    if (platform_host_level() >= 2) {
        char descriptor[256];

        add_image(fixture, "first", ",\"platform\":{" HOST "}");
        add_image(fixture, "better", ",\"platform\":{" HOST ",\"variant\":\"v2\"}");
        expect(fixture, "better");
        add_image(fixture, "first", ",\"platform\":{" HOST "}");
        add_image(fixture, "better", ",\"platform\":{" HOST ",\"variant\":\"v2\"}");
        nest(fixture, descriptor);
        add_entry(fixture, INDEX_TYPE, descriptor, "");
        expect(fixture, "better");
    }
#endif
}

static void test_beside_the_image(void **state)
{
    static const char signature[] =
        "{\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",%s},\"layers\":[{"
        "\"mediaType\":\"application/vnd.dev.cosign.simplesigning.v1+json\",%s}]}";
    struct fixture *fixture = *state;
    char blob[256];
    char manifest[1024];
    char descriptor[256];

    put(fixture, "{}", 2, blob);
    snprintf(manifest, sizeof(manifest), signature, blob, blob);
    put(fixture, manifest, strlen(manifest), descriptor);
    add_entry(fixture, MANIFEST_TYPE, descriptor, "");
    add_image(fixture, "image", "");
    add_entry(fixture, "application/vnd.example+json", blob, "");
    expect(fixture, "image");
    add_entry(fixture, MANIFEST_TYPE, descriptor, "");
    refuse(fixture, ENOTSUP, "simplesigning");
    refuse(fixture, EBADMSG, "lists no image");
    /* An image that is missing in the layout is skipped if another one fits, but not if it has a
     * name. */
    add_entry(fixture, MANIFEST_TYPE,
              "\"digest\":\"sha256:"
              "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\",\"size\":3",
              "");
    add_image(fixture, "image", "");
    expect(fixture, "image");
    add_entry(fixture, MANIFEST_TYPE,
              "\"digest\":\"sha256:"
              "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\",\"size\":3",
              ",\"annotations\":{\"org.opencontainers.image.ref.name\":\"x\"}");
    add_image(fixture, "image", "");
    refuse(fixture, ENOENT, "0123456789abcdef");
}

/* The cost of nested indexes is bounded. */
static void test_nesting(void **state)
{
    struct fixture *fixture = *state;
    char descriptor[256];

    add_image(fixture, "deep", "");
    for (int i = 0; i < 4; i++) {
        nest(fixture, descriptor);
        add_entry(fixture, INDEX_TYPE, descriptor, "");
    }
    expect(fixture, "deep");
    add_image(fixture, "deep", "");
    for (int i = 0; i < 6; i++) {
        nest(fixture, descriptor);
        add_entry(fixture, INDEX_TYPE, descriptor, "");
    }
    refuse(fixture, ELOOP, "nested too deeply");
    for (int level = 0; level < 3; level++) {
        for (int i = 0; i < 30; i++)
            add_entry(fixture, INDEX_TYPE,
                      level ? descriptor
                            : "\"digest\":\"sha256:"
                              "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\","
                              "\"size\":3",
                      "");
        nest(fixture, descriptor);
    }
    add_entry(fixture, INDEX_TYPE, descriptor, "");
    refuse(fixture, E2BIG, "more than 512 manifests");
}

static void test_sha512(void **state)
{
    struct fixture *fixture = *state;

    fixture->algorithm = "sha512:";
    add_image(fixture, "long", "");
    expect(fixture, "long");
    fixture->spoil_diff_id = true;
    add_image(fixture, "wrong-diff-id", "");
    refuse(fixture, EBADMSG, "its uncompressed digest is sha512:");
    fixture->spoil_diff_id = false;
    fixture->spoil_layer = true;
    add_image(fixture, "no-layer", "");
    refuse(fixture, ENOENT, "blobs/sha512/");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_platforms, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_beside_the_image, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nesting, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sha512, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
