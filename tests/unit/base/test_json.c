/* SPDX-License-Identifier: Apache-2.0 */
/* Malformed JSON and lack of memory are different errors. */
#include <stdlib.h>

#include <errno.h>

#include "tests/unit/unit.h"
#include "vmm/base/bytes.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/json.h"

static unsigned allocations_left;

static void *scarce_malloc(size_t size)
{
    if (allocations_left == 0) {
        errno = ENOMEM;
        return NULL;
    }
    allocations_left--;
    return malloc(size);
}

/* Its tokens are short: jansson ends the process by an assertion if its token buffer cannot
 * grow. */
static void short_memory_is_not_reported_as_malformed_text(void **state)
{
    static const char text[] = "{\"name\": [1, 2.5, -3e2, true, null, \"text \\u00e9\"], "
                               "\"another\": {\"a\": \"b\"}, \"c\": 900719925}";
    json_t *root = NULL;
    unsigned failures = 0;
    int rc;

    (void)state;
    json_set_alloc_funcs(scarce_malloc, free);
    do {
        struct error err = ERROR_INIT;

        allocations_left = failures;
        rc = json_parse(text, sizeof(text) - 1, &root, &err);
        if (rc < 0) {
            assert_int_equal(rc, -ENOMEM);
            assert_null(root);
            assert_non_null(strstr(err.text, "Cannot allocate memory"));
            failures++;
        }
    } while (rc < 0 && failures < 1000);
    json_set_alloc_funcs(malloc, free);
    assert_int_equal(rc, 0);
    assert_true(failures > 10);
    json_decref(root);
}

static void malformed_text_is_reported_with_its_line(void **state)
{
    static const char *const texts[] = {"",
                                        "{",
                                        "{\"a\":1,\n\"a\":2}",
                                        "[1] 2",
                                        "\"text\"",
                                        "{\"a\":\xff}",
                                        "{\"a\":1e999}",
                                        "{\"a\": \033[2J}"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        struct error err = ERROR_INIT;
        json_t *root = NULL;

        errno = ENOMEM; /* of something before it */
        assert_int_equal(json_parse(texts[i], strlen(texts[i]), &root, &err), -EINVAL);
        assert_null(root);
        assert_ptr_equal(strstr(err.text, "not valid JSON: line "), err.text);
        assert_null(strchr(err.text, '\033')); /* what is quoted is safe on a terminal */
    }
}

static void any_text_becomes_json(void **state)
{
    static const struct {
        const char *from, *to;
    } cases[] = {
        {"gr\u00fcn", "gr\u00fcn"},
        {"\033[2J", "\033[2J"}, /* carried, not shown */
        {"\u00fc\xff\xc3", "\u00fc??"},
        {"\xe2\x82", "??"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        json_t *value = json_from_text(cases[i].from);

        assert_string_equal(json_string_value(value), cases[i].to);
        json_decref(value);
    }
}

static void what_is_written_is_safe_to_show(void **state)
{
    AUTO_JSON json_t *value = json_pack("{s:s, s:[s]}", "k\u202e", "\033\x7f\xc2\x9b", "list",
                                        "gr\u00fcn \U000e0041\U0001f427\n");
    AUTO_JSON json_t *back = NULL;
    AUTO_FREE char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    (void)state;
    assert_int_equal(json_write(value, JSON_COMPACT, out, NULL), 0);
    assert_int_equal(json_write(NULL, JSON_COMPACT, out, NULL), -ENOMEM);
    fclose(out);
    assert_string_equal(text, "{\"k\\u202e\":\"\\u001B\\u007f\\u009b\","
                              "\"list\":[\"gr\u00fcn \\udb40\\udc41\U0001f427\\n\"]}\n");
    assert_int_equal(json_parse(text, size, &back, NULL), 0);
    assert_true(json_equal(value, back));
}

static void strings_survive(void **state)
{
    char all[256];
    const char *const strings[] = {"", "plain", "\"\\/", "gr\u00fc\u00dfe", all, NULL};
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);
    struct error err = ERROR_INIT;
    json_t *root = NULL;

    (void)state;
    for (unsigned i = 0; i < 127; i++)
        all[i] = (char)(i + 1);
    all[127] = '\0';
    assert_non_null(file);
    fputc('[', file);
    json_write_strings(file, strings);
    fputc(',', file);
    json_write_strings(file, NULL);
    fputc(']', file);
    assert_int_equal(fclose(file), 0);
    if (json_parse(text, size, &root, &err) < 0)
        fail_msg("%s: %s", err.text, text);
    for (size_t i = 0; i < ARRAY_LENGTH(strings) - 1; i++)
        assert_string_equal(json_string_value(json_array_get(json_array_get(root, 0), i)),
                            strings[i]);
    assert_int_equal(json_array_size(json_array_get(root, 0)), ARRAY_LENGTH(strings) - 1);
    assert_int_equal(json_array_size(json_array_get(root, 1)), 0);
    json_decref(root);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_memory_is_not_reported_as_malformed_text),
        cmocka_unit_test(malformed_text_is_reported_with_its_line),
        cmocka_unit_test(any_text_becomes_json),
        cmocka_unit_test(what_is_written_is_safe_to_show),
        cmocka_unit_test(strings_survive),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
