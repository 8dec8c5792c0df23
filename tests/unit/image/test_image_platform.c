/* SPDX-License-Identifier: Apache-2.0 */
/* Platforms of images: which ones a host can run, which of several is best; entries of an index for
 * other platforms. */
#include <stdio.h>

#include "tests/unit/unit.h"
#include "vmm/base/bytes.h"
#include "vmm/image/config.h"

static void test_rank(void **state)
{
    static const struct {
        const char *os;
        const char *architecture;
        const char *variant;
        int on_amd64; /* of level 3 */
        int on_arm64;
    } rows[] = {
        {"linux", "amd64", NULL, 1, -1},   {"linux", "amd64", "v1", 1, -1},
        {"linux", "amd64", "v2", 2, -1},   {"linux", "amd64", "v3", 3, -1},
        {"linux", "amd64", "v4", -1, -1},  {"linux", "amd64", "v9", -1, -1},
        {"linux", "amd64", "new", -1, -1}, {"Linux", "x86_64", NULL, 1, -1},
        {"linux", "arm64", NULL, -1, 1},   {"linux", "arm64", "v8", -1, 1},
        {"linux", "arm64", "8", -1, 1},    {"linux", "arm64", "v9", -1, -1},
        {"linux", "aarch64", "v8", -1, 1}, {"linux", "arm", "v7", -1, -1},
        {"linux", "386", NULL, -1, -1},    {"windows", "amd64", NULL, -1, -1},
        {"linux", NULL, NULL, 0, 0},       {NULL, "amd64", NULL, 1, -1},
        {NULL, NULL, NULL, 0, 0},          {"unknown", "unknown", NULL, -1, -1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const struct platform platform = {(char *)(uintptr_t)rows[i].os,
                                          (char *)(uintptr_t)rows[i].architecture,
                                          (char *)(uintptr_t)rows[i].variant};
        char text[PLATFORM_TEXT_SIZE];

        platform_format(&platform, text);
        if (platform_rank(&platform, "amd64", 3) != rows[i].on_amd64)
            fail_msg("%s on amd64: %d", text, platform_rank(&platform, "amd64", 3));
        if (platform_rank(&platform, "arm64", 0) != rows[i].on_arm64)
            fail_msg("%s on arm64: %d", text, platform_rank(&platform, "arm64", 0));
    }
}

static void test_host(void **state)
{
    struct platform platform = {.architecture = (char *)(uintptr_t)platform_host_architecture()};
    char text[PLATFORM_TEXT_SIZE];

    (void)state;
    assert_int_equal(platform_rank(&platform, platform_host_architecture(), platform_host_level()),
                     1);
    assert_true(platform_host_level() <= PLATFORM_RANK_MAX);
#if defined(__x86_64__)
    assert_true(platform_host_level() >= 1);
    /* The compiler's own tests of the processor. */
    __builtin_cpu_init();
    assert_int_equal(platform_host_level() >= 3, __builtin_cpu_supports("avx2") &&
                                                     __builtin_cpu_supports("bmi2") &&
                                                     __builtin_cpu_supports("fma"));
    assert_int_equal(platform_host_level() >= 4, __builtin_cpu_supports("avx512f") &&
                                                     __builtin_cpu_supports("avx512bw") &&
                                                     __builtin_cpu_supports("avx512vl"));
#endif
    platform.variant = (char *)(uintptr_t) "v2";
    snprintf(text, sizeof(text), "linux/%s/v2", platform_host_architecture());
    assert_string_equal(platform_format(&platform, (char[PLATFORM_TEXT_SIZE]){0}), text);
}

#define DIGEST "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void test_ignored_entries(void **state)
{
    static const struct {
        const char *fields;
        size_t count;
    } rows[] = {
        {"\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\"", 1},
        {"\"mediaType\":\"application/vnd.docker.distribution.manifest.list.v2+json\"", 1},
        {"\"mediaType\":\"\"", 1},
        {"\"x\":1", 1},
        {"\"mediaType\":\"application/vnd.example.new.v7+json\"", 0},
        {"\"mediaType\":\"application/vnd.docker.distribution.manifest.v1+prettyjws\"", 0},
        {"\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
         "\"artifactType\":\"application/spdx+json\"",
         0},
        {"\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
         "\"artifactType\":\"application/vnd.oci.image.config.v1+json\"",
         1},
        {"\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"annotations\":{"
         "\"vnd.docker.reference.type\":\"attestation-manifest\"},"
         "\"platform\":{\"os\":\"unknown\",\"architecture\":\"unknown\"}",
         0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct error err = ERROR_INIT;
        struct image_index index;
        char text[1024];

        snprintf(text, sizeof(text),
                 "{\"schemaVersion\":2,\"manifests\":[{%s,\"digest\":\"" DIGEST "\",\"size\":3}]}",
                 rows[i].fields);
        if (index_parse(text, strlen(text), "index", &index, &err) < 0)
            fail_msg("%s: %s", rows[i].fields, err.text);
        if (index.count != rows[i].count)
            fail_msg("%s: %zu entries", rows[i].fields, index.count);
        index_release(&index);
        /* Ignored entries are not checked. */
        snprintf(text, sizeof(text), "{\"manifests\":[{%s,\"digest\":\"none\"}]}", rows[i].fields);
        if (index_parse(text, strlen(text), "index", &index, &err) == 0)
            index_release(&index);
        else
            assert_int_equal(rows[i].count, 1);
    }
}

static void test_artifacts(void **state)
{
    static const struct {
        const char *artifact;
        const char *config;
        int rc;
    } rows[] = {
        {"", "application/vnd.oci.image.config.v1+json", 0},
        {"", "application/vnd.docker.container.image.v1+json", 0},
        {"", "", 0},
        {"", "application/vnd.oci.empty.v1+json", -95},
        {"", "application/vnd.cncf.helm.config.v1+json", -95},
        {"application/vnd.in-toto+json", "application/vnd.oci.image.config.v1+json", -95},
        {"application/vnd.oci.image.config.v1+json", "", 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct image_manifest manifest;
        struct error err = ERROR_INIT;
        char text[1024];
        int rc;

        snprintf(text, sizeof(text),
                 "{\"artifactType\":\"%s\",\"config\":{\"mediaType\":\"%s\",\"digest\":\"" DIGEST
                 "\",\"size\":3},\"layers\":[]}",
                 rows[i].artifact, rows[i].config);
        rc = manifest_parse(text, strlen(text), "manifest", &manifest, &err);
        assert_int_equal(rc, rows[i].rc);
        if (rc == 0)
            manifest_release(&manifest);
        else
            assert_non_null(strstr(err.text, "not an image but an artifact"));
    }
}

static void test_config_platform(void **state)
{
    static const struct {
        const char *fields;
        int rc;
    } rows[] = {
        {"\"x\":1", 0},
        {"\"os\":\"linux\"", 0},
        {"\"os\":\"\",\"architecture\":\"\"", 0},
        {"\"os\":null,\"architecture\":null", 0},
        {"\"os\":\"windows\"", -8},
        {"\"architecture\":\"s390x\"", -8},
        {"\"os\":\"unknown\",\"architecture\":\"unknown\"", -8},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct image_config config;
        struct error err = ERROR_INIT;
        char text[256];

        snprintf(text, sizeof(text), "{%s}", rows[i].fields);
        assert_int_equal(config_parse(text, strlen(text), "config", &config, &err), 0);
        if (config_check_platform(&config, "config", &err) != rows[i].rc)
            fail_msg("%s: %s", rows[i].fields, err.text);
        config_release(&config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rank),
        cmocka_unit_test(test_host),
        cmocka_unit_test(test_artifacts),
        cmocka_unit_test(test_ignored_entries),
        cmocka_unit_test(test_config_platform),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
