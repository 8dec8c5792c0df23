/* SPDX-License-Identifier: Apache-2.0 */
/* Shown text keeps readable characters, and cannot control a terminal. */
#include "tests/unit/unit.h"
#include "vmm/base/bytes.h"
#include "vmm/base/text.h"
#include "vmm/base/utf8.h"

struct example {
    const char *from, *to;
};

static void expect_lines(const struct example *examples, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char text[64];

        assert_string_equal(text_copy(text, sizeof(text), examples[i].from), examples[i].to);
    }
}

static void readable_text_is_kept(void **state)
{
    static const struct example examples[] = {
        {"", ""},
        {" !~ plain", " !~ plain"},
        {"gr\u00fc\u00df \u20ac \u65e5\u672c\u8a9e", "gr\u00fc\u00df \u20ac \u65e5\u672c\u8a9e"},
        {"\u00a0\u0300\ue000\ufffd", "\u00a0\u0300\ue000\ufffd"},
        {"\U0001f427\U0010fffd", "\U0001f427\U0010fffd"},
        {"\u05e2\u05d1\u05e8 \u0639\u0631", "\u05e2\u05d1\u05e8 \u0639\u0631"},
    };

    (void)state;
    expect_lines(examples, ARRAY_LENGTH(examples));
}

static void controls_are_replaced(void **state)
{
    static const struct example examples[] = {
        {"\033[2Jx\r\n\tz\x7f", "?[2Jx???z?"},
        {"\033]0;title\a", "?]0;title?"},
        {"\xc2\x80\xc2\x85\xc2\x9b"
         "31m\xc2\x9d\xc2\x9f",
         "???31m??"}, /* C1 as UTF-8 */
        {"\x9b"
         "31m",
         "?31m"},                     /* C1 as a byte */
        {"\u202eabc\u202c", "?abc?"}, /* overrides, embeddings, isolates, marks */
        {"\u202a\u202b\u202d\u2066\u2067\u2068\u2069\u200e\u200f\u061c", "??????????"},
        {"a\u200bb\u2060c\ufeffd\u00ade", "a?b?c?d?e"}, /* hidden */
        {"\u2028\u2029", "??"},
        {"\U000e0041\U000e007f", "??"}, /* tags */
        {"\ufffe\uffff\ufdd0\U0001ffff\U0010fffe", "?????"},
        {"\ufff9\U0001d173\U000110bd", "???"},
    };

    (void)state;
    expect_lines(examples, ARRAY_LENGTH(examples));
}

static void every_byte_that_is_not_utf8_is_replaced(void **state)
{
    static const struct example examples[] = {
        {"a\xc3", "a?"},
        {"a\xc3z", "a?z"},
        {"\xe2\x82", "??"}, /* cut */
        {"\xf0\x9f\x90", "???"},
        {"\xe2\x82\xc3\xbc", "??\u00fc"},
        {"\xbc\xff\xfe\xc0\xaf\xc1\xbf.", "???????."},
        {"\xc0\x9b[31m", "??[31m"}, /* overlong, an escape among them */
        {"\xe0\x80\x9b[31m", "???[31m"},
        {"\xf0\x80\x80\x9b[31m", "????[31m"},
        {"\xe0\x9f\xbf\xf0\x8f\xbf\xbf", "???????"},
        {"\xed\xa0\x80\xed\xbf\xbf.", "??????."}, /* surrogates */
        {"\xf4\x90\x80\x80\xf5\x80\x80\x80\xf8\x88\x80\x80\x80.", "?????????????."},
    };

    (void)state;
    expect_lines(examples, ARRAY_LENGTH(examples));
}

static void what_does_not_fit_says_so(void **state)
{
    static const struct {
        size_t size;
        const char *from, *to;
    } cases[] = {
        {1, "abc", ""},
        {1, "", ""},
        {3, "abc", "ab"},
        {3, "\u20ac", ""},
        {4, "abc", "abc"},
        {4, "abcd", "..."},
        {8, "abcdefgh", "abcd..."},
        {8, "abcdefg", "abcdefg"},
        {8, "abc\u00fcefg", "abc..."}, /* never half a character */
        {8, "ab\u00fcefgh", "ab\u00fc..."},
        {8, "\x80\x80\x80\x80\x80\x80\x80\x80", "????..."},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char text[16];

        memset(text, 'x', sizeof(text));
        text_copy(text, cases[i].size, cases[i].from);
        assert_string_equal(text, cases[i].to);
        assert_int_equal(text[cases[i].size], 'x');
    }
}

static void bytes_end_where_they_end(void **state)
{
    char text[16];

    (void)state;
    assert_string_equal(text_copy_bytes(text, sizeof(text), "a\0b\nc", 4), "a?b?");
    assert_string_equal(text_copy_bytes(text, sizeof(text), "\xe2\x82\xac", 2), "??");
    assert_string_equal(text_copy_bytes(text, sizeof(text), "\xe2\x82\xac", 3), "\u20ac");
    assert_string_equal(text_copy_bytes(text, sizeof(text), NULL, 0), "");
}

static void formats_are_cleaned(void **state)
{
    char text[16];

    (void)state;
    text_format(text, sizeof(text), "%s: %d", "\033x", 7);
    assert_string_equal(text, "?x: 7");
    text_format(text, sizeof(text), "%.2s", "a\u00fc"); /* printf cuts by bytes */
    assert_string_equal(text, "a?");
}

static void ascii_is_ascii(void **state)
{
    char text[16];

    (void)state;
    assert_string_equal(text_copy_ascii(text, sizeof(text), "gr\u00fcn \u20ac\U0001f427\033\xff"),
                        "gr?n ????");
    assert_string_equal(text_copy_ascii(text, 4, "\u00fc\u00fc\u00fc"), "???");
}

static void pieces_of_lines_are_ascii(void **state)
{
    char text[] = "a\tb\n\033[2J\r\xc3\xbc\xc2\x9b\x7f";

    (void)state;
    text_clean_lines(text, sizeof(text)); /* its NUL, too */
    assert_memory_equal(text, "a\tb\n?[2J???????", sizeof(text));
}

/* Same as other decoders, over all codepoints. */
static void every_codepoint_survives(void **state)
{
    (void)state;
    for (uint32_t codepoint = 1; codepoint <= 0x10ffff; codepoint++) {
        char bytes[4];
        size_t size = codepoint < 0x80 ? 1 : codepoint < 0x800 ? 2 : codepoint < 0x10000 ? 3 : 4;
        bool surrogate = codepoint >= 0xd800 && codepoint < 0xe000;
        uint32_t back = 0;

        for (size_t i = size; i-- > 0;)
            bytes[i] = (char)(0x80 | (codepoint >> 6 * (size - 1 - i) & 0x3f));
        if (size == 1)
            bytes[0] = (char)codepoint;
        else
            bytes[0] = (char)(0xf00U >> size | codepoint >> 6 * (size - 1));
        assert_int_equal(utf8_decode(bytes, sizeof(bytes), &back), surrogate ? 0 : size);
        assert_int_equal(back, surrogate ? 0 : codepoint);
        if (size > 1)
            assert_int_equal(utf8_decode(bytes, size - 1, &back), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readable_text_is_kept),
        cmocka_unit_test(controls_are_replaced),
        cmocka_unit_test(every_byte_that_is_not_utf8_is_replaced),
        cmocka_unit_test(what_does_not_fit_says_so),
        cmocka_unit_test(bytes_end_where_they_end),
        cmocka_unit_test(formats_are_cleaned),
        cmocka_unit_test(ascii_is_ascii),
        cmocka_unit_test(pieces_of_lines_are_ascii),
        cmocka_unit_test(every_codepoint_survives),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
