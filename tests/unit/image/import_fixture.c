/* SPDX-License-Identifier: Apache-2.0 */
/* A store of its own, and archives made by hand to import into it; see import_fixture.h. */
#include "tests/unit/image/import_fixture.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/image/import_here.h"
#include "vmm/base/cleanup.h"

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

static void make_layer(struct import_fixture *fixture)
{
    struct tar_maker maker;

    tar_begin(&maker, TAR_PLAIN);
    tar_file(&maker, "etc/passwd", "root:x:0:0::/root:/bin/sh\n");
    fixture->layer = read_all(tar_end(&maker), &fixture->layer_size);
    digest_of(fixture->layer, fixture->layer_size, fixture->layer_digest);
}

void import_fixture_config(struct import_fixture *fixture, const char *architecture,
                           const char *more)
{
    snprintf(fixture->config, sizeof(fixture->config),
             "{\"architecture\":\"%s\",\"os\":\"linux\",\"config\":{\"Cmd\":[\"sh\"]%s},"
             "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"%s\"]}}",
             architecture, more, fixture->layer_digest);
    digest_of(fixture->config, strlen(fixture->config), fixture->config_digest);
    snprintf(fixture->config_name, sizeof(fixture->config_name), "%s.json",
             fixture->config_digest + DIGEST_PREFIX_LENGTH);
}

int import_fixture_set_up(void **state)
{
    struct import_fixture *fixture = calloc(1, sizeof(*fixture));

    assert_non_null(fixture);
    strcpy(fixture->directory, "/tmp/test-import.XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    snprintf(fixture->store, sizeof(fixture->store), "%s/store", fixture->directory);
    snprintf(fixture->archive, sizeof(fixture->archive), "%s/My App.tar", fixture->directory);
    make_layer(fixture);
    import_fixture_config(fixture, platform_host_architecture(), "");
    tar_begin(&fixture->maker, TAR_PLAIN);
    *state = fixture;
    return 0;
}

int import_fixture_tear_down(void **state)
{
    struct import_fixture *fixture = *state;

    close(tar_end(&fixture->maker));
    assert_int_equal(nftw(fixture->directory, remove_item, 8, FTW_DEPTH | FTW_PHYS), 0);
    free(fixture->layer);
    free(fixture);
    return 0;
}

void import_fixture_add(struct import_fixture *fixture, const char *name, const void *data,
                        size_t size)
{
    tar_put(&fixture->maker, tar_entry(name, AE_IFREG, 0644), data, size);
}

/* The parts of a docker archive; `layer` is what the layer is called. */
void import_fixture_add_docker(struct import_fixture *fixture, const char *layer, const char *tags)
{
    char manifest[512];

    import_fixture_add(fixture, fixture->config_name, fixture->config, strlen(fixture->config));
    snprintf(manifest, sizeof(manifest),
             "[{\"Config\":\"%s\",\"RepoTags\":%s,\"Layers\":[\"%s\"]}]", fixture->config_name,
             tags, layer);
    tar_file(&fixture->maker, "manifest.json", manifest);
}

/* Two OCI images in one archive, by their tags. */
void import_fixture_add_oci(struct import_fixture *fixture, const char *first, const char *second)
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
    import_fixture_add(fixture, name, fixture->layer, fixture->layer_size);
    store_blob_name(fixture->config_digest, name);
    import_fixture_add(fixture, name, fixture->config, strlen(fixture->config));
    store_blob_name(digest, name);
    import_fixture_add(fixture, name, manifest, strlen(manifest));
    tar_file(&fixture->maker, "index.json", index);
    tar_file(&fixture->maker, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}");
}

const char *import_fixture_layer_name(const struct import_fixture *fixture, const char *suffix)
{
    static char name[DIGEST_SIZE + 16];

    snprintf(name, sizeof(name), "%s%s", fixture->layer_digest + DIGEST_PREFIX_LENGTH, suffix);
    return name;
}

/* Writes what was put into the archive so far to a file, and begins the next one. */
void import_fixture_write(struct import_fixture *fixture)
{
    size_t size;
    char *data = read_all(tar_end(&fixture->maker), &size);
    int fd = open(fixture->archive, O_WRONLY | O_CREAT | O_TRUNC, 0644);

    assert_int_equal(write(fd, data, size), size);
    close(fd);
    free(data);
    tar_begin(&fixture->maker, TAR_PLAIN);
}

int import_fixture_run(struct import_fixture *fixture, const char *name, bool unnamed, char *result,
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
        import_fixture_write(fixture);
    rc = import_here(&options, &ids, &names, err);
    result[0] = '\0';
    for (size_t i = 0; rc == 0 && i < names.count; i++) {
        strcat(result, i ? " " : "");
        strcat(result, names.items[i]);
    }
    return rc;
}

void import_fine(struct import_fixture *fixture, const char *name, bool unnamed,
                 const char *expected)
{
    struct error err = ERROR_INIT;
    char names[512];

    if (import_fixture_run(fixture, name, unnamed, names, &err) != 0)
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

int import_fixture_files(const struct import_fixture *fixture)
{
    files = 0;
    assert_int_equal(nftw(fixture->store, count_file, 8, FTW_PHYS), 0);
    return files;
}

void import_refused(struct import_fixture *fixture, int code, const char *message)
{
    struct error err = ERROR_INIT;
    char names[512];

    assert_int_equal(import_fixture_run(fixture, NULL, false, names, &err), -code);
    if (!strstr(err.text, message) || !strstr(err.text, "My App.tar"))
        fail_msg("no '%s' in: %s", message, err.text);
    assert_null(strchr(err.text, '\n'));
    assert_int_equal(import_fixture_files(fixture), 2); /* oci-layout and lock */
}
