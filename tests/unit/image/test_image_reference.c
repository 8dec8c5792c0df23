/* SPDX-License-Identifier: Apache-2.0 */
/* Image references, as a table. */
#include "tests/unit/unit.h"
#include "vmm/base/bytes.h"
#include "vmm/image/reference.h"

#define HEX64  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DIGEST "sha256:" HEX64

static const struct {
    const char *text;
    enum reference_kind kind;
    const char *name;
    const char *tag;
    const char *digest;
    bool maybe_id;
} good[] = {
    {"debian", REFERENCE_NAME, "debian", "latest", "", false},
    {"debian:12", REFERENCE_NAME, "debian", "12", "", false},
    {"docker.io/library/debian:12", REFERENCE_NAME, "debian", "12", "", false},
    {"index.docker.io/library/debian", REFERENCE_NAME, "debian", "latest", "", false},
    {"docker.io/me/app", REFERENCE_NAME, "me/app", "latest", "", false},
    {"docker.io/library/a/b", REFERENCE_NAME, "library/a/b", "latest", "", false},
    {"docker.io/a.b/c", REFERENCE_NAME, "docker.io/a.b/c", "latest", "", false},
    {"library/debian", REFERENCE_NAME, "library/debian", "latest", "", false},
    {"localhost:5000/team/app:v1", REFERENCE_NAME, "localhost:5000/team/app", "v1", "", false},
    {"localhost:5000/app", REFERENCE_NAME, "localhost:5000/app", "latest", "", false},
    {"Registry.Example.ORG/app", REFERENCE_NAME, "Registry.Example.ORG/app", "latest", "", false},
    {"a.b/c__d/e-f--g.h", REFERENCE_NAME, "a.b/c__d/e-f--g.h", "latest", "", false},
    {"app:V1.0_a-B", REFERENCE_NAME, "app", "V1.0_a-B", "", false},
    {"debian@" DIGEST, REFERENCE_NAME, "debian", "", DIGEST, false},
    {"debian:12@" DIGEST, REFERENCE_NAME, "debian", "", DIGEST, false},
    {DIGEST, REFERENCE_ID, "", "", DIGEST, false},
    {"sha256:3f57", REFERENCE_ID, "", "", "sha256:3f57", false},
    {"3f57d9401f8d", REFERENCE_NAME, "3f57d9401f8d", "latest", "", true},
    {HEX64, REFERENCE_NAME, HEX64, "latest", "", true},
    {"cafe:1", REFERENCE_NAME, "cafe", "1", "", false},
    {"./app.tar", REFERENCE_PATH, "", "", "", false},
    {"/srv/layout", REFERENCE_PATH, "", "", "", false},
    {".", REFERENCE_PATH, "", "", "", false},
    {"../x:y@z", REFERENCE_PATH, "", "", "", false},
};

static const char *const bad[] = {
    "",
    "Debian",
    "debian:",
    "debian:-x",
    "debian:.x",
    "debian:a b",
    "debian@",
    "debian@sha256:12",
    "debian@md5:" HEX64,
    "debian@" DIGEST "0",
    "sha256",
    "docker.io/library/sha256:1",
    "sha256:",
    "sha256:XYZ",
    "sha256:" HEX64 "0",
    "a//b",
    "a/",
    "-a",
    "a-",
    "a..b",
    "a___b",
    "a._b",
    "a b",
    "a\nb",
    "ex_ample.org/app",
    "host:port/app",
    "host:/app",
    ":tag",
    "@" DIGEST,
};

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
        struct reference reference;
        struct error err = ERROR_INIT;

        if (reference_parse(good[i].text, &reference, &err) != 0)
            fail_msg("'%s': %s", good[i].text, err.text);
        if (reference.kind != good[i].kind || reference.maybe_id != good[i].maybe_id)
            fail_msg("'%s': kind %d, maybe_id %d", good[i].text, reference.kind,
                     reference.maybe_id);
        assert_string_equal(reference.name, good[i].name);
        assert_string_equal(reference.tag, good[i].tag);
        assert_string_equal(reference.digest, good[i].digest);
    }
}

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        struct reference reference;
        struct error err = ERROR_INIT;

        if (reference_parse(bad[i], &reference, &err) == 0)
            fail_msg("'%s' was taken", bad[i]);
        assert_int_equal(err.code, 22); /* EINVAL */
        assert_true(strlen(err.text) > 0);
    }
}

static void test_lengths(void **state)
{
    struct reference reference;
    struct error err = ERROR_INIT;
    char text[600];

    (void)state;
    memset(text, 'g', REFERENCE_NAME_MAX);
    text[REFERENCE_NAME_MAX] = '\0';
    assert_int_equal(reference_parse(text, &reference, &err), 0);
    memcpy(text + REFERENCE_NAME_MAX, "g", 2);
    assert_int_equal(reference_parse(text, &reference, &err), -22);
    memcpy(text, "a:", 2);
    memset(text + 2, 't', REFERENCE_TAG_MAX);
    text[2 + REFERENCE_TAG_MAX] = '\0';
    assert_int_equal(reference_parse(text, &reference, &err), 0);
    memcpy(text + 2 + REFERENCE_TAG_MAX, "t", 2);
    assert_int_equal(reference_parse(text, &reference, &err), -22);
}

static void test_format(void **state)
{
    struct reference reference;
    char text[REFERENCE_TEXT_SIZE];

    (void)state;
    assert_int_equal(reference_parse("docker.io/library/debian", &reference, NULL), 0);
    reference_format(&reference, text, sizeof(text));
    assert_string_equal(text, "debian:latest");
    assert_int_equal(reference_parse("debian:1@" DIGEST, &reference, NULL), 0);
    reference_format(&reference, text, sizeof(text));
    assert_string_equal(text, "debian@" DIGEST);
}

static void test_tagged(void **state)
{
    struct reference reference;

    (void)state;
    assert_int_equal(reference_parse_tagged("a:b", &reference, NULL), 0);
    assert_int_equal(reference_parse_tagged("a@" DIGEST, &reference, NULL), -22);
    assert_int_equal(reference_parse_tagged(DIGEST, &reference, NULL), -22);
    assert_int_equal(reference_parse_tagged("./a", &reference, NULL), -22);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),    cmocka_unit_test(test_bad),
        cmocka_unit_test(test_lengths), cmocka_unit_test(test_format),
        cmocka_unit_test(test_tagged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
