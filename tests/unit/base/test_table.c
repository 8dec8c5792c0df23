/* SPDX-License-Identifier: Apache-2.0 */
/* Tables are aligned in cells of a terminal, and no line ends in blanks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"
#include "vmm/base/bytes.h"
#include "vmm/base/table.h"
#include "vmm/base/utf8.h"

static void expect(const struct table *table, const char *wanted)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    assert_int_equal(table_write(table, out), 0);
    fclose(out);
    assert_string_equal(text, wanted);
    free(text);
}

static void columns_are_as_wide_as_their_widest_cell(void **state)
{
    static const struct table_column columns[] = {
        {"NAME", TABLE_LEFT, 0}, {"N", TABLE_RIGHT, 3}, {"WHAT", TABLE_LEFT, 0}};
    AUTO_TABLE struct table table = {
        .columns = columns, .column_count = ARRAY_LENGTH(columns), .gap = 2};

    (void)state;
    expect(&table, "NAME    N  WHAT\n");
    table_add(&table, "%s", "a");
    table_add(&table, "%d", 5);
    table_add(&table, "x");
    table_add(&table, "longer");
    table_add(&table, "%d", 1234);
    table_add(&table, "%s", "");
    expect(&table, "NAME       N  WHAT\n"
                   "a          5  x\n"
                   "longer  1234\n");
}

static void rows_may_end_early_and_cells_may_span(void **state)
{
    static const struct table_column columns[] = {
        {NULL, TABLE_LEFT, 4}, {NULL, TABLE_RIGHT, 4}, {NULL, TABLE_LEFT, 0}};
    AUTO_TABLE struct table table = {
        .columns = columns, .column_count = ARRAY_LENGTH(columns), .gap = 1};

    (void)state;
    table_end_row(&table);
    table_add(&table, "a");
    table_add(&table, "1");
    table_end_row(&table);
    table_add_rest(&table, "a line across the table");
    table_add(&table, "b");
    table_add_rest(&table, "over the rest");
    table_add(&table, "%s", "");
    table_add(&table, "2");
    table_add(&table, "c");
    expect(&table, "a       1\n"
                   "a line across the table\n"
                   "b    over the rest\n"
                   "        2 c\n");
}

static void a_row_is_as_high_as_its_highest_cell(void **state)
{
    static const struct table_column columns[] = {
        {NULL, TABLE_LEFT, 0}, {NULL, TABLE_RIGHT, 0}, {NULL, TABLE_LEFT, 0}};
    AUTO_TABLE struct table table = {
        .columns = columns, .column_count = ARRAY_LENGTH(columns), .gap = 1};

    (void)state;
    table_add(&table, "one");
    table_add(&table, "1\n23\n\n4");
    table_add(&table, "x\ny");
    table_add(&table, "two");
    table_end_row(&table);
    expect(&table, "one  1 x\n"
                   "    23 y\n"
                   "\n"
                   "     4\n"
                   "two\n");
}

static void widths_are_those_of_a_terminal(void **state)
{
    static const struct {
        const char *text;
        size_t width;
    } examples[] = {
        {"", 0},
        {"plain", 5},
        {"gr\u00fc\u00df", 4},
        {"e\u0301", 1},      /* an accent on the letter before it */
        {"\u65e5\u672c", 4}, /* wide */
        {"\U0001f427", 2},   /* emoji */
        {"\u2588\u258c", 2}, /* bars of a chart */
        {"\xff\xc3", 2},     /* not UTF-8 */
    };
    static const struct table_column columns[] = {{NULL, TABLE_LEFT, 0}, {NULL, TABLE_LEFT, 0}};
    AUTO_TABLE struct table table = {
        .columns = columns, .column_count = ARRAY_LENGTH(columns), .gap = 1};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(examples); i++)
        assert_int_equal(utf8_width(examples[i].text, strlen(examples[i].text)), examples[i].width);
    table_add(&table, "\u65e5\u672c");
    table_add(&table, "x");
    table_add(&table, "gr\u00fc\u00df");
    table_add(&table, "x");
    table_add(&table, "abcd");
    table_add(&table, "x");
    expect(&table, "\u65e5\u672c x\ngr\u00fc\u00df x\nabcd x\n");
}

static void text_is_wrapped_between_words(void **state)
{
    static const struct {
        const char *text;
        size_t width;
        const char *wrapped;
    } examples[] = {
        {"", 5, ""},
        {"one", 5, "one"},
        {"one two", 7, "one two"},
        {"one two", 6, "one\ntwo"},
        {"one  two three", 4, "one\ntwo\nthre\ne"},
        {"a longerword", 6, "a\nlonger\nword"},
        {"gr\u00fc\u00dfe", 4, "gr\u00fc\u00df\ne"},
        {"\u65e5\u672c", 3, "\u65e5\n\u672c"},
        {"\u65e5\u672c", 1, "\u65e5\n\u672c"},
        {"end ", 3, "end"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(examples); i++) {
        char *wrapped = table_wrap(examples[i].text, examples[i].width);

        assert_string_equal(wrapped, examples[i].wrapped);
        free(wrapped);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_as_wide_as_their_widest_cell),
        cmocka_unit_test(rows_may_end_early_and_cells_may_span),
        cmocka_unit_test(a_row_is_as_high_as_its_highest_cell),
        cmocka_unit_test(widths_are_those_of_a_terminal),
        cmocka_unit_test(text_is_wrapped_between_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
