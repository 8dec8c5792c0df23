/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: whole imports into a store: image archives made by hand, crooked ones too, the names
 * that images get, and that a failure leaves the store as it was. (Real images:
 * tests/images/check.)
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/import_here.h"
#include "tests/unit/tar_maker.h"
#include "vmm/base/cleanup.h"
#include "vmm/image/image.h"
#include "vmm/image/import/budget.h"

struct fixture {
    char directory[64];
    char store[80];
    char archive[80];
    struct tar_maker maker;
    char config[1024];
    char config_name[DIGEST_SIZE + 8]; /* "HEX.json" */
    char config_digest[DIGEST_SIZE];
    char *layer; /* a tar archive with /etc/passwd */
    size_t layer_size;
    enum load_kind kind; /* of the last import */
    char layer_digest[DIGEST_SIZE];
    struct load_limits limits; /* ratio 0: the default ones */
};

static int remove_item(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

static char *read_all(int fd, size_t *size)
{
    struct stat status;
    char *data;

    assert_int_equal(fstat(fd, &status), 0);
    *size = (size_t)status.st_size;
    data = malloc(*size);
    assert_non_null(data);
    assert_int_equal(pread(fd, data, *size, 0), status.st_size);
    close(fd);
    return data;
}

static void make_layer(struct fixture *fixture)
{
    struct tar_maker maker;

    tar_begin(&maker, TAR_PLAIN);
    tar_file(&maker, "etc/passwd", "root:x:0:0::/root:/bin/sh\n");
    fixture->layer = read_all(tar_end(&maker), &fixture->layer_size);
    digest_of(fixture->layer, fixture->layer_size, fixture->layer_digest);
}

static void make_config(struct fixture *fixture, const char *architecture, const char *more)
{
    snprintf(fixture->config, sizeof(fixture->config),
             "{\"architecture\":\"%s\",\"os\":\"linux\",\"config\":{\"Cmd\":[\"sh\"]%s},"
             "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"%s\"]}}",
             architecture, more, fixture->layer_digest);
    digest_of(fixture->config, strlen(fixture->config), fixture->config_digest);
    snprintf(fixture->config_name, sizeof(fixture->config_name), "%s.json",
             fixture->config_digest + DIGEST_PREFIX_LENGTH);
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    assert_non_null(fixture);
    strcpy(fixture->directory, "/tmp/test-import.XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    snprintf(fixture->store, sizeof(fixture->store), "%s/store", fixture->directory);
    snprintf(fixture->archive, sizeof(fixture->archive), "%s/My App.tar", fixture->directory);
    make_layer(fixture);
    make_config(fixture, platform_host_architecture(), "");
    tar_begin(&fixture->maker, TAR_PLAIN);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    close(tar_end(&fixture->maker));
    assert_int_equal(nftw(fixture->directory, remove_item, 8, FTW_DEPTH | FTW_PHYS), 0);
    free(fixture->layer);
    free(fixture);
    return 0;
}

static void add(struct fixture *fixture, const char *name, const void *data, size_t size)
{
    tar_put(&fixture->maker, tar_entry(name, AE_IFREG, 0644), data, size);
}

/* The parts of a docker archive; `layer` is what the layer is called. */
static void add_docker(struct fixture *fixture, const char *layer, const char *tags)
{
    char manifest[512];

    add(fixture, fixture->config_name, fixture->config, strlen(fixture->config));
    snprintf(manifest, sizeof(manifest),
             "[{\"Config\":\"%s\",\"RepoTags\":%s,\"Layers\":[\"%s\"]}]", fixture->config_name,
             tags, layer);
    tar_file(&fixture->maker, "manifest.json", manifest);
}

static const char *layer_name(const struct fixture *fixture, const char *suffix)
{
    static char name[DIGEST_SIZE + 16];

    snprintf(name, sizeof(name), "%s%s", fixture->layer_digest + DIGEST_PREFIX_LENGTH, suffix);
    return name;
}

/* Writes what was put into the archive so far to a file, and begins the next one. */
static void write_archive(struct fixture *fixture)
{
    size_t size;
    char *data = read_all(tar_end(&fixture->maker), &size);
    int fd = open(fixture->archive, O_WRONLY | O_CREAT | O_TRUNC, 0644);

    assert_int_equal(write(fd, data, size), size);
    close(fd);
    free(data);
    tar_begin(&fixture->maker, TAR_PLAIN);
}

static int import(struct fixture *fixture, const char *name, bool unnamed, char *result,
                  struct error *err)
{
    AUTO_STRING_LIST struct string_list ids = {0};
    AUTO_STRING_LIST struct string_list names = {0};
    struct load_options options = {
        .store = fixture->store,
        .path = fixture->archive,
        .name = name,
        .unnamed = unnamed,
        .limits = LOAD_LIMITS_DEFAULT,
        .kind = &fixture->kind,
    };
    int rc;

    if (fixture->limits.ratio)
        options.limits = fixture->limits;
    if (!strstr(fixture->archive, "/dir")) /* else it is there already */
        write_archive(fixture);
    rc = import_here(&options, &ids, &names, err);
    result[0] = '\0';
    for (size_t i = 0; rc == 0 && i < names.count; i++) {
        strcat(result, i ? " " : "");
        strcat(result, names.items[i]);
    }
    return rc;
}

static void import_fine(struct fixture *fixture, const char *name, bool unnamed,
                        const char *expected)
{
    struct error err = ERROR_INIT;
    char names[512];

    if (import(fixture, name, unnamed, names, &err) != 0)
        fail_msg("%s", err.text);
    assert_string_equal(names, expected);
}

static int files;

static int count_file(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)path;
    (void)status;
    (void)walk;
    files += type == FTW_F;
    return 0;
}

static void import_refused(struct fixture *fixture, int code, const char *message)
{
    struct error err = ERROR_INIT;
    char names[512];

    assert_int_equal(import(fixture, NULL, false, names, &err), -code);
    if (!strstr(err.text, message) || !strstr(err.text, "My App.tar"))
        fail_msg("no '%s' in: %s", message, err.text);
    assert_null(strchr(err.text, '\n'));
    files = 0;
    assert_int_equal(nftw(fixture->store, count_file, 8, FTW_PHYS), 0);
    assert_int_equal(files, 2); /* oci-layout and lock */
}

static void test_docker(void **state)
{
    struct fixture *fixture = *state;
    AUTO_STORE struct store *store = NULL;
    AUTO_IMAGE struct image *image = NULL;

    add(fixture, layer_name(fixture, "/layer.tar"), fixture->layer, fixture->layer_size);
    add_docker(fixture, layer_name(fixture, "/layer.tar"), "[\"a/b:1\",\"c:latest\"]");
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
    struct fixture *fixture = *state;
    char link[DIGEST_SIZE + 16];
    char target[DIGEST_SIZE + 32];

    memset(link, 'a', DIGEST_HEX_LENGTH);
    strcpy(link + DIGEST_HEX_LENGTH, "/layer.tar");
    snprintf(target, sizeof(target), "../%s", layer_name(fixture, ".tar"));
    tar_symlink(&fixture->maker, link, target);
    add(fixture, layer_name(fixture, ".tar"), fixture->layer, fixture->layer_size);
    add_docker(fixture, link, "[\"linked:1\"]");
    import_fine(fixture, NULL, false, "linked:1");
}

static void test_circular_links(void **state)
{
    struct fixture *fixture = *state;

    add_docker(fixture, layer_name(fixture, ".tar"), "null");
    tar_symlink(&fixture->maker, layer_name(fixture, ".tar"), "x");
    tar_symlink(&fixture->maker, "x", "y");
    tar_symlink(&fixture->maker, "y", "x");
    import_refused(fixture, ELOOP, "circle");
}

static void test_links_out(void **state)
{
    struct fixture *fixture = *state;

    tar_symlink(&fixture->maker, layer_name(fixture, ".tar"), "/etc/passwd");
    add_docker(fixture, layer_name(fixture, ".tar"), "null");
    import_refused(fixture, ENOENT, "is missing");
    tar_symlink(&fixture->maker, layer_name(fixture, ".tar"), "../../../../etc/passwd");
    add_docker(fixture, layer_name(fixture, ".tar"), "null");
    import_refused(fixture, ENOENT, "is missing");
    add_docker(fixture, "../../etc/passwd", "null");
    import_refused(fixture, ENOENT, "is missing");
}

/* Of two members of one name the last counts, a leading '/' does not, and ".." is refused. */
static void test_crooked_members(void **state)
{
    struct fixture *fixture = *state;
    char name[256];

    tar_file(&fixture->maker, "/oci-layout", "{}");
    tar_file(&fixture->maker, "blobs/../../x", "{}");
    import_refused(fixture, EINVAL, "'..'");
    tar_file(&fixture->maker, "manifest.json", "[]");
    add(fixture, layer_name(fixture, ".tar"), "evil", 4);
    snprintf(name, sizeof(name), "/%s", layer_name(fixture, ".tar"));
    add(fixture, name, fixture->layer, fixture->layer_size);
    add_docker(fixture, layer_name(fixture, ".tar"), "[\"again:1\"]");
    import_fine(fixture, NULL, false, "again:1");
}

static void test_crooked_docker(void **state)
{
    struct fixture *fixture = *state;

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
    /* A config that is not what its name says, and a layer that is not what the config says. */
    add(fixture, layer_name(fixture, ".tar"), fixture->layer, fixture->layer_size);
    fixture->config[strlen(fixture->config) - 1] = ' ';
    add_docker(fixture, layer_name(fixture, ".tar"), "null");
    import_refused(fixture, EBADMSG, "is damaged");
    make_config(fixture, platform_host_architecture(), "");
    fixture->layer[0] ^= 1;
    add(fixture, layer_name(fixture, ".tar"), fixture->layer, fixture->layer_size);
    add_docker(fixture, layer_name(fixture, ".tar"), "null");
    import_refused(fixture, EBADMSG, "layer sha256:");
}

static void test_architecture(void **state)
{
    struct fixture *fixture = *state;

    make_config(fixture, "mips64le", "");
    add(fixture, layer_name(fixture, ".tar"), fixture->layer, fixture->layer_size);
    add_docker(fixture, layer_name(fixture, ".tar"), "null");
    import_refused(fixture, ENOEXEC, "for linux/mips64le");
}

static void add_oci(struct fixture *fixture, const char *first, const char *second);

static void add_extras(struct fixture *fixture)
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
    struct fixture *fixture = *state;

    strcpy(fixture->config_name, "config.json"); /* as jib calls it */
    add(fixture, "layers/one", fixture->layer, fixture->layer_size);
    add_extras(fixture);
    add_docker(fixture, "layers/one", "[\"docker:1\"]");
    import_fine(fixture, NULL, false, "docker:1");
    assert_int_equal(fixture->kind, LOAD_KIND_DOCKER);
    add_extras(fixture);
    add_oci(fixture, "some/where:1", "some/where:2");
    add_extras(fixture);
    import_fine(fixture, NULL, false, "some/where:1 some/where:2");
    assert_int_equal(fixture->kind, LOAD_KIND_OCI);
}

/* What has a mark of an image and lacks something is refused as an image. */
static void test_broken_images(void **state)
{
    struct fixture *fixture = *state;
    char name[128];

    add(fixture, fixture->config_name, fixture->config, strlen(fixture->config));
    add_extras(fixture);
    import_refused(fixture, EBADMSG, "neither index.json nor manifest.json");
    tar_file(&fixture->maker, "oci-layout", "{}");
    add_extras(fixture);
    import_refused(fixture, EBADMSG, "an OCI layout without index.json");
    store_blob_name(fixture->config_digest, name);
    add(fixture, name, fixture->config, strlen(fixture->config));
    import_refused(fixture, EBADMSG, "neither index.json nor manifest.json");
    tar_file(&fixture->maker, "index.json", "{\"manifests\":[");
    add_extras(fixture);
    import_refused(fixture, EBADMSG, "index.json: not valid JSON");
    tar_file(&fixture->maker, "manifest.json", "[{\"Config\":\"x\",\"Layers\":[");
    add_extras(fixture);
    import_refused(fixture, EBADMSG, "manifest.json: not valid JSON");
    tar_file(&fixture->maker, "manifest.json", "");
    add(fixture, layer_name(fixture, "/layer.tar"), fixture->layer, fixture->layer_size);
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
    struct fixture *fixture = *state;
    char archive[80];
    char command[512];

    strcpy(archive, fixture->archive);
    for (size_t i = 0; i <= sizeof(commands) / sizeof(commands[0]); i++) {
        bool is_docker = i == sizeof(commands) / sizeof(commands[0]);

        if (is_docker) {
            add(fixture, layer_name(fixture, "/layer.tar"), fixture->layer, fixture->layer_size);
            add_docker(fixture, layer_name(fixture, "/layer.tar"), "[\"some/where:2\"]");
        } else {
            add_oci(fixture, "some/where:1", "some/where:2");
        }
        write_archive(fixture);
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
    struct fixture *fixture = *state;

    for (int i = 0; i < 4; i++) {
        static const char *const tags[] = {"[\"own:1\"]", "[\"own:1\"]", "null", "null"};
        static const char *const names[] = {"given:2", NULL, NULL, "given:2"};
        static const char *const expected[] = {"given:2", "", "my-app:latest", "given:2"};

        add(fixture, layer_name(fixture, ".tar"), fixture->layer, fixture->layer_size);
        add_docker(fixture, layer_name(fixture, ".tar"), tags[i]);
        import_fine(fixture, names[i], i == 1, expected[i]);
    }
}

static void test_bad_name(void **state)
{
    struct fixture *fixture = *state;
    struct error err = ERROR_INIT;
    char names[512];

    add(fixture, layer_name(fixture, ".tar"), fixture->layer, fixture->layer_size);
    add_docker(fixture, layer_name(fixture, ".tar"), "[\"Not:Valid\"]");
    import_refused(fixture, EINVAL, "--name");
    tar_file(&fixture->maker, "bin/sh", "x");
    assert_int_equal(import(fixture, "a@b", false, names, &err), -EINVAL);
}

/* Two OCI images in one archive, by their tags. */
static void add_oci(struct fixture *fixture, const char *first, const char *second)
{
    char manifest[1024];
    char index[1024];
    char name[128];
    char digest[DIGEST_SIZE];

    snprintf(manifest, sizeof(manifest),
             "{\"schemaVersion\":2,\"config\":{\"digest\":\"%s\",\"size\":%zu},\"layers\":[{"
             "\"mediaType\":"
             "\"application/vnd.oci.image.layer.v1.tar\",\"digest\":\"%s\",\"size\":%zu}]}",
             fixture->config_digest, strlen(fixture->config), fixture->layer_digest,
             fixture->layer_size);
    digest_of(manifest, strlen(manifest), digest);
    snprintf(index, sizeof(index),
             "{\"schemaVersion\":2,\"manifests\":["
             "{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"%s\","
             "\"size\":%zu,\"annotations\":{\"org.opencontainers.image.ref.name\":\"%s\"}},"
             "{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"%s\","
             "\"size\":%zu,\"annotations\":{\"org.opencontainers.image.ref.name\":\"%s\"}}]}",
             digest, strlen(manifest), first, digest, strlen(manifest), second);
    store_blob_name(fixture->layer_digest, name);
    add(fixture, name, fixture->layer, fixture->layer_size);
    store_blob_name(fixture->config_digest, name);
    add(fixture, name, fixture->config, strlen(fixture->config));
    store_blob_name(digest, name);
    add(fixture, name, manifest, strlen(manifest));
    tar_file(&fixture->maker, "index.json", index);
    tar_file(&fixture->maker, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}");
}

static void test_several(void **state)
{
    struct fixture *fixture = *state;
    struct error err = ERROR_INIT;
    char names[512];

    add_oci(fixture, "1", "some/where:2");
    import_fine(fixture, NULL, false, "my-app:1 some/where:2");
    add_oci(fixture, "1", "latest");
    import_fine(fixture, "chosen:x", false, "chosen:x");
    add_oci(fixture, "1", "2");
    assert_int_equal(import(fixture, "chosen:x", false, names, &err), -ENOTUNIQ);
    add_oci(fixture, "1", "2");
    assert_int_equal(import(fixture, NULL, true, names, &err), -ENOTUNIQ);
    assert_non_null(strstr(err.text, "holds 2 images"));
}

static void test_missing_blob(void **state)
{
    struct fixture *fixture = *state;

    tar_file(&fixture->maker, "oci-layout", "{}");
    tar_file(&fixture->maker, "index.json",
             "{\"manifests\":[{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
             "\"digest\":\"sha256:"
             "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\",\"size\":3}]}");
    import_refused(fixture, ENOENT, "is missing");
}

static void test_root(void **state)
{
    struct fixture *fixture = *state;
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

static void test_crooked_root(void **state)
{
    struct fixture *fixture = *state;

    tar_file(&fixture->maker, "bin/sh", "x");
    tar_file(&fixture->maker, "../../etc/cron.d/evil", "y");
    import_refused(fixture, EINVAL, "'..'");
    import_refused(fixture, EBADMSG, "empty");
}

static void test_volumes(void **state)
{
    struct fixture *fixture = *state;
    AUTO_STORE struct store *store = NULL;
    AUTO_IMAGE struct image *image = NULL;

    make_config(fixture, platform_host_architecture(),
                ",\"Volumes\":{\"/data/b\":{},\"/data/a\":{}},\"WorkingDir\":\"/srv/app\"");
    add(fixture, layer_name(fixture, ".tar"), fixture->layer, fixture->layer_size);
    add_docker(fixture, layer_name(fixture, ".tar"), "[\"volumes:1\"]");
    import_fine(fixture, NULL, false, "volumes:1");
    assert_int_equal(store_open(fixture->store, STORE_READ, &store, NULL), 0);
    assert_int_equal(image_open(store, "volumes:1", &image, NULL), 0);
    assert_int_equal(image->config.volumes.count, 2);
    assert_string_equal(image->config.volumes.items[0], "/data/a");
}

/* Each budget ends an import, with a message that names its option; nothing stays. */
static void test_budgets(void **state)
{
    static const struct {
        struct load_limits limits;
        int code;
        const char *message;
    } cases[] = {
        {{1 << 20, 200, 1000, 10, 60}, EDQUOT, "--max-space"},
        {{1 << 30, 200, 2, 10, 60}, E2BIG, "--max-entries"},
        {{1 << 30, 200, 1000, 10, 0}, ETIME, "--max-time"},
    };
    struct fixture *fixture = *state;
    size_t size = 3 << 20;
    char *data = malloc(size);

    assert_non_null(data);
    for (size_t i = 0; i < size; i++)
        data[i] = (char)(i * 2654435761U >> 13);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fixture->limits = cases[i].limits;
        add(fixture, "bin/a", data, size);
        add(fixture, "bin/b", "x", 1);
        add(fixture, "bin/c", "x", 1);
        import_refused(fixture, cases[i].code, cases[i].message);
    }
    free(data);
    fixture->limits = (struct load_limits){1 << 30, 200, 1000, 1, 60};
    add_oci(fixture, "1", "2");
    import_refused(fixture, E2BIG, "--max-images");
    fixture->limits.images = 2;
    add_oci(fixture, "1", "2");
    import_fine(fixture, NULL, false, "my-app:1 my-app:2");
}

static void test_ratio(void **state)
{
    struct budget budget = {.limits = {.ratio = 10}};
    struct error err = ERROR_INIT;

    (void)state;
    assert_int_equal(budget_unpack(&budget, 1, LOAD_RATIO_FREE, &err), 0);
    assert_int_equal(budget_unpack(&budget, 0, 1000, &err), -E2BIG);
    assert_non_null(strstr(err.text, "--max-ratio"));
    assert_int_equal(budget_unpack(&budget, LOAD_RATIO_FREE, 0, &err), 0);
}

/* What is no archive ends at its beginning, whatever comes behind. */
static void test_implausible(void **state)
{
    struct fixture *fixture = *state;
    AUTO_CLOSE int fd = open(fixture->archive, O_RDWR | O_CREAT, 0644);
    struct load_options options = {
        .store = fixture->store, .path = fixture->archive, .limits = LOAD_LIMITS_DEFAULT};
    struct error err = ERROR_INIT;

    assert_int_equal(ftruncate(fd, 255LL << 30), 0);
    assert_int_equal(import_here(&options, NULL, NULL, &err), -EBADMSG);
    assert_non_null(strstr(err.text, "begins with zeros"));
    assert_int_equal(pwrite(fd, "y\ny\ny\n", 6, 0), 6);
    assert_int_equal(import_here(&options, NULL, NULL, &err), -EBADMSG);
    assert_non_null(strstr(err.text, "neither an image nor"));
    options.path = "/dev/zero";
    assert_int_equal(import_here(&options, NULL, NULL, &err), -EINVAL);
    assert_non_null(strstr(err.text, "/dev/zero: is a character device"));
}

/* The second import of an image finds it and adds nothing but a name. */
static void test_again(void **state)
{
    struct fixture *fixture = *state;
    int before;

    for (int i = 0; i < 2; i++) {
        add(fixture, layer_name(fixture, ".tar"), fixture->layer, fixture->layer_size);
        add_docker(fixture, layer_name(fixture, ".tar"), "[\"a:1\"]");
        import_fine(fixture, NULL, false, "a:1");
        before = files;
        files = 0;
        assert_int_equal(nftw(fixture->store, count_file, 8, FTW_PHYS), 0);
    }
    assert_int_equal(files, before);
    add_oci(fixture, "2", "3"); /* in another form, with another manifest: the same image */
    import_fine(fixture, NULL, false, "my-app:2 my-app:3");
    files = 0;
    assert_int_equal(nftw(fixture->store, count_file, 8, FTW_PHYS), 0);
    assert_int_equal(files, before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_docker, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_docker_links, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_circular_links, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_links_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_crooked_members, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_directories, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_broken_images, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_extra_members, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_crooked_docker, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_architecture, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_several, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_missing_blob, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_root, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_crooked_root, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_volumes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_budgets, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_implausible, set_up, tear_down),
        cmocka_unit_test(test_ratio),
        cmocka_unit_test_setup_teardown(test_again, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
