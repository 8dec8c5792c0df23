/* SPDX-License-Identifier: Apache-2.0 */
/* Parses a command line by a table of options; see options.h. */
#include "vmm/cli/options.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "vmm/base/bytes.h"
#include "vmm/base/parse.h"
#include "vmm/base/string_list.h"
#include "vmm/base/table.h"
#include "vmm/cli/suggest.h"

#define ROWS_MAX    64
#define HELP_COLUMN 28

/* One option as it was typed, for messages: "-m" or "--memory". */
struct typed {
    char text[64];
};

static struct typed typed_long(const char *name, size_t length)
{
    struct typed typed;

    snprintf(typed.text, sizeof(typed.text), "--%.*s", (int)(length < 60 ? length : 60), name);
    return typed;
}

/* A row that was found, and the table that it is in. */
struct found {
    const struct option_row *row; /* NULL = there is none */
    const struct option_pass
        *pass; /* of the other command that it belongs to; NULL = this command's own */
};

static const struct option_row *find_in(const struct option_row *rows, size_t count,
                                        const char *name, size_t length)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(rows[i].name) == length && strncmp(rows[i].name, name, length) == 0)
            return &rows[i];
    }
    return NULL;
}

static const struct option_row *find_letter_in(const struct option_row *rows, size_t count,
                                               char letter)
{
    for (size_t i = 0; i < count; i++) {
        if (rows[i].letter == letter)
            return &rows[i];
    }
    return NULL;
}

static struct found find_long(const struct option_table *table, const char *name, size_t length)
{
    struct found found = {find_in(table->rows, table->count, name, length), NULL};

    if (!found.row && table->pass) {
        found.row = find_in(table->pass->table->rows, table->pass->table->count, name, length);
        found.pass = table->pass;
        if (found.row && !found.row->help)
            found.row = NULL;
    }
    return found;
}

static struct found find_letter(const struct option_table *table, char letter)
{
    struct found found = {find_letter_in(table->rows, table->count, letter), NULL};

    if (!found.row && table->pass) {
        found.row = find_letter_in(table->pass->table->rows, table->pass->table->count, letter);
        found.pass = table->pass;
    }
    return found;
}

static size_t add_names(const struct option_row *rows, size_t row_count, const char **names,
                        size_t count)
{
    for (size_t i = 0; i < row_count && count < ROWS_MAX; i++) {
        if (rows[i].help)
            names[count++] = rows[i].name;
    }
    return count;
}

static int unknown_option(const struct option_table *table, const struct typed *typed,
                          struct error *err)
{
    const char *names[ROWS_MAX];
    const char *nearest = NULL;
    size_t count;
    int command = (int)strcspn(table->usage, "["); /* "run [OPTIONS]": length of its name */

    count = add_names(table->rows, table->count, names, 0);
    if (table->pass)
        count = add_names(table->pass->table->rows, table->pass->table->count, names, count);
    if (typed->text[1] == '-')
        nearest = suggest_nearest(typed->text + 2, names, count);
    if (nearest)
        return error_set(err, EINVAL, "%s: unknown option; did you mean --%s?", typed->text,
                         nearest);
    return error_set(err, EINVAL, "%s: unknown option; 'microvm %.*s--help' lists all", typed->text,
                     command, table->usage);
}

static int store_flag(const char *value, const char *what, bool *flag, struct error *err)
{
    if (!value || strcmp(value, "true") == 0 || strcmp(value, "1") == 0)
        *flag = true;
    else if (strcmp(value, "false") == 0 || strcmp(value, "0") == 0)
        *flag = false;
    else
        return error_set(err, EINVAL, "%s: takes only true or false, not '%s'", what, value);
    return 0;
}

/* `value` is NULL for a flag without "=". */
static int store_value(const struct option_row *row, const char *value, const char *what,
                       void *target, struct error *err)
{
    void *at = (char *)target + row->offset;

    switch (row->kind) {
    case OPTION_FLAG:
        return store_flag(value, what, at, err);
    case OPTION_TEXT:
    case OPTION_OPTIONAL:
        *(const char **)at = value ? value : "";
        return 0;
    case OPTION_LIST:
        if (string_list_add(at, value) < 0)
            return error_set_errno(err, ENOMEM, "%s", what);
        return 0;
    case OPTION_SIZE:
        return parse_size(value, what, at, err);
    }
    return 0;
}

/* An option of another command: checked as that command does, and kept to be passed on. */
static int pass_value(const struct found *found, const char *value, const char *what, void *target,
                      struct error *err)
{
    const struct option_pass *pass = found->pass;
    const char *name = found->row->name;
    const char *why = pass->refusal ? pass->refusal(name) : NULL;
    struct string_list *list = (void *)((char *)target + pass->list_offset);
    int rc;

    if (why)
        return error_set(err, EINVAL, "%s: cannot be used here: %s", what, why);
    rc = store_value(found->row, value, what, (char *)target + pass->offset, err);
    if (rc < 0)
        return rc;
    rc = value ? string_list_add_format(list, "--%s=%s", name, value)
               : string_list_add_format(list, "--%s", name);
    return rc < 0 ? error_set_errno(err, ENOMEM, "%s", what) : 0;
}

static int take_value(const struct found *found, const char *value, const char *what, void *target,
                      struct error *err)
{
    return found->pass ? pass_value(found, value, what, target, err)
                       : store_value(found->row, value, what, target, err);
}

static bool takes_next_word(const struct option_row *row)
{
    return row->kind != OPTION_FLAG && row->kind != OPTION_OPTIONAL;
}

static int missing_value(const struct option_row *row, const char *what, struct error *err)
{
    return error_set(err, EINVAL, "%s: needs a value: %s %s", what, what, row->value);
}

/* A word "--name" or "--name=value"; `next` is the word after it or NULL. Returns words used. */
static int parse_long(const struct option_table *table, const char *word, const char *next,
                      void *target, struct error *err)
{
    size_t length = strcspn(word + 2, "=");
    const char *value = word[2 + length] ? word + 2 + length + 1 : NULL;
    struct found found = find_long(table, word + 2, length);
    const struct option_row *row = found.row;
    struct typed typed = typed_long(word + 2, length);
    int used = 1;
    int rc;

    if (!row)
        return unknown_option(table, &typed, err);
    if (!value && takes_next_word(row)) {
        if (!next)
            return missing_value(row, typed.text, err);
        value = next;
        used = 2;
    }
    rc = take_value(&found, value, typed.text, target, err);
    return rc < 0 ? rc : used;
}

/* A word "-abc", "-n", "-nVALUE" or "-n=VALUE". Returns words used. */
static int parse_letters(const struct option_table *table, const char *word, const char *next,
                         void *target, struct error *err)
{
    for (const char *at = word + 1; *at; at++) {
        struct found found = find_letter(table, *at);
        const struct option_row *row = found.row;
        struct typed typed = {{'-', *at, '\0'}};
        const char *value = at[1] == '=' ? at + 2 : NULL;
        int rc;

        if (!row)
            return unknown_option(table, &typed, err);
        if (!value && takes_next_word(row))
            value = at[1] ? at + 1 : next;
        if (!value && takes_next_word(row))
            return missing_value(row, typed.text, err);
        rc = take_value(&found, value, typed.text, target, err);
        if (rc < 0)
            return rc;
        if (value)
            return takes_next_word(row) && !at[1] ? 2 : 1;
    }
    return 1;
}

int options_parse(const struct option_table *table, int argc, char **argv, void *target,
                  struct error *err)
{
    int at = 1;

    while (at < argc && argv[at][0] == '-' && argv[at][1]) {
        const char *next = at + 1 < argc ? argv[at + 1] : NULL;
        int used;

        if (strcmp(argv[at], "--") == 0)
            return at + 1;
        if (strcmp(argv[at], "--help") == 0) {
            options_write_help(table, stdout);
            return 0;
        }
        used = argv[at][1] == '-' ? parse_long(table, argv[at], next, target, err)
                                  : parse_letters(table, argv[at], next, target, err);
        if (used < 0)
            return used;
        at += used;
    }
    return at;
}

static void add_help(struct table *help, const struct option_row *row)
{
    const char letter[] = {'-', row->letter, ',', '\0'};
    const char *before = !row->value ? "" : row->kind == OPTION_OPTIONAL ? "[=" : " ";
    const char *after = row->value && row->kind == OPTION_OPTIONAL ? "]" : "";
    char option[128];

    if (!row->help)
        return;
    snprintf(option, sizeof(option), "  %-3s --%s%s%s%s", row->letter ? letter : "", row->name,
             before, row->value ? row->value : "", after);
    if (strlen(option) < HELP_COLUMN - 1) {
        table_add(help, "%s", option);
    } else {
        table_add_rest(help, "%s", option);
        table_add(help, "%s", "");
    }
    table_add(help, "%s", row->help);
}

static void add_passed(struct table *help, const struct option_table *table)
{
    const struct option_pass *pass = table->pass;

    table_add_rest(help, "\n%s:", pass->title);
    for (size_t i = 0; i < pass->table->count; i++) {
        const struct option_row *row = &pass->table->rows[i];

        if (!find_in(table->rows, table->count, row->name, strlen(row->name)) &&
            !(pass->refusal && pass->refusal(row->name)))
            add_help(help, row);
    }
}

void options_write_help(const struct option_table *table, FILE *out)
{
    static const struct option_row help_row = {.name = "help", .help = "show this help"};
    static const struct table_column columns[] = {{NULL, TABLE_LEFT, HELP_COLUMN - 1},
                                                  {NULL, TABLE_LEFT, 0}};
    AUTO_TABLE struct table help = {
        .columns = columns, .column_count = ARRAY_LENGTH(columns), .gap = 1};

    fprintf(out, "Usage: microvm %s\n\n%s\n\nOptions:\n", table->usage, table->about);
    for (size_t i = 0; i < table->count; i++)
        add_help(&help, &table->rows[i]);
    add_help(&help, &help_row);
    if (table->pass)
        add_passed(&help, table);
    (void)table_write(&help, out); /* the output shows a failure */
    if (table->more)
        fprintf(out, "\n%s\n", table->more);
}
