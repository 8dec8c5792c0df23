/* SPDX-License-Identifier: Apache-2.0 */
/* Command lines in docker's syntax, and suggestions for mistyped words. */
#include <stdbool.h>
#include <stdlib.h>

#include "tests/unit/unit.h"
#include "vmm/base/bytes.h"
#include "vmm/base/string_list.h"
#include "vmm/cli/options.h"
#include "vmm/cli/suggest.h"

struct sample {
    bool interactive;
    bool terminal;
    const char *name;
    struct string_list env;
    uint64_t memory;
    const char *timeline;
};

#define AT(member) offsetof(struct sample, member)

static const struct option_row rows[] = {
    {'i', OPTION_FLAG, "interactive", NULL, "flag", AT(interactive)},
    {'t', OPTION_FLAG, "tty", NULL, "flag", AT(terminal)},
    {0, OPTION_TEXT, "name", "NAME", "text", AT(name)},
    {'e', OPTION_LIST, "env", "K=V", "list", AT(env)},
    {'m', OPTION_SIZE, "memory", "SIZE", "size", AT(memory)},
    {0, OPTION_OPTIONAL, "timeline", "json", "optional", AT(timeline)},
};

static const struct option_table table = {
    .usage = "run [OPTIONS] IMAGE",
    .about = "About.",
    .rows = rows,
    .count = ARRAY_LENGTH(rows),
};

#define WORDS_MAX 16

struct parsed {
    struct sample options;
    struct error err;
    int first;
};

/* Splits at spaces; '_' is an empty word. */
static void parse(const char *line, struct parsed *parsed)
{
    static char text[256];
    char *words[WORDS_MAX] = {NULL};
    char *rest = text;
    int count = 0;

    memset(parsed, 0, sizeof(*parsed));
    snprintf(text, sizeof(text), "run %s", line);
    while (rest && *rest && count < WORDS_MAX - 1)
        words[count++] = strsep(&rest, " ");
    parsed->first = options_parse(&table, count, words, &parsed->options, &parsed->err);
}

static void forms_of_a_value(void **state)
{
    static const char *const lines[] = {"-e K=V image",     "-eK=V image",     "-e=K=V image",
                                        "--env K=V image",  "--env=K=V image", "-ite K=V image",
                                        "-i -t -eK=V image"};
    struct parsed parsed;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++) {
        parse(lines[i], &parsed);
        assert_true(parsed.first > 0);
        assert_int_equal(parsed.options.env.count, 1);
        assert_string_equal(parsed.options.env.items[0], "K=V");
        assert_int_equal(parsed.options.interactive, strstr(lines[i], "-i") != NULL);
        assert_int_equal(parsed.options.terminal, strstr(lines[i], "-i") != NULL);
        string_list_release(&parsed.options.env);
    }
}

static void options_end_at_the_image(void **state)
{
    struct parsed parsed;

    (void)state;
    parse("-i image -t --nonsense", &parsed);
    assert_int_equal(parsed.first, 2);
    assert_true(parsed.options.interactive);
    assert_false(parsed.options.terminal);
    parse("-i -- -t", &parsed);
    assert_int_equal(parsed.first, 3);
    assert_false(parsed.options.terminal);
    parse("- -t", &parsed); /* a dash alone is an operand */
    assert_int_equal(parsed.first, 1);
    parse("", &parsed);
    assert_int_equal(parsed.first, 1);
}

static void kinds_of_values(void **state)
{
    struct parsed parsed;

    (void)state;
    parse("--name a --name b --memory 2g --tty=false -i=true --timeline image", &parsed);
    assert_string_equal(parsed.options.name, "b");
    assert_int_equal(parsed.options.memory, 2ULL << 30);
    assert_false(parsed.options.terminal);
    assert_true(parsed.options.interactive);
    assert_string_equal(parsed.options.timeline, "");
    parse("--timeline=json -m=64m image", &parsed);
    assert_string_equal(parsed.options.timeline, "json");
    assert_int_equal(parsed.options.memory, 64U << 20);
    parse("--name= image", &parsed);
    assert_string_equal(parsed.options.name, "");
    parse("--env A=1 -e B=2 image", &parsed);
    assert_int_equal(parsed.options.env.count, 2);
    assert_string_equal(parsed.options.env.items[1], "B=2");
    string_list_release(&parsed.options.env);
}

static void errors_name_the_option(void **state)
{
    static const struct {
        const char *line;
        const char *text;
    } cases[] = {
        {"-m 12Q image", "-m: '12Q' is not a size"},
        {"--memory=12Q image", "--memory: '12Q' is not a size"},
        {"--memory 99999999999999999999 i", "--memory: 99999999999999999999 is too large"},
        {"-x image", "-x: unknown option; 'microvm run --help' lists all"},
        {"-ix image", "-x: unknown option"},
        {"--memry 1g image", "--memry: unknown option; did you mean --memory?"},
        {"--mem 1g image", "--mem: unknown option"}, /* no abbreviations */
        {"--name", "--name: needs a value: --name NAME"},
        {"-ie", "-e: needs a value"},
        {"--tty=maybe image", "--tty: takes only true or false, not 'maybe'"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct parsed parsed;

        parse(cases[i].line, &parsed);
        assert_true(parsed.first < 0);
        assert_int_equal(strncmp(parsed.err.text, cases[i].text, strlen(cases[i].text)), 0);
        string_list_release(&parsed.options.env);
    }
}

static void help_lists_every_option(void **state)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    (void)state;
    assert_non_null(out);
    options_write_help(&table, out);
    fclose(out);
    assert_non_null(strstr(text, "Usage: microvm run [OPTIONS] IMAGE\n"));
    assert_non_null(strstr(text, "\n  -e, --env K=V             list\n"));
    assert_non_null(strstr(text, "\n      --timeline[=json]     optional\n"));
    assert_non_null(strstr(text, "\n      --help                show this help\n"));
    free(text);
}

/* ---- options of another command ---------------------------------------------------------------
 */

struct outer {
    const char *runs;
    struct sample inner;
    struct string_list passed;
};

static const char *refuse_name(const char *name)
{
    return strcmp(name, "name") == 0 ? "because" : NULL;
}

static void options_of_another_command_are_passed_on(void **state)
{
    static const struct option_row hidden_rows[] = {
        {'m', OPTION_SIZE, "memory", "SIZE", "size", offsetof(struct sample, memory)},
        {'e', OPTION_LIST, "env", "K=V", "list", offsetof(struct sample, env)},
        {'i', OPTION_FLAG, "interactive", NULL, "flag", offsetof(struct sample, interactive)},
        {0, OPTION_TEXT, "name", "NAME", "text", offsetof(struct sample, name)},
        {0, OPTION_TEXT, "hidden", "FD", NULL, offsetof(struct sample, name)},
    };
    static const struct option_table inner = {
        .usage = "run", .rows = hidden_rows, .count = ARRAY_LENGTH(hidden_rows)};
    static const struct option_row own_rows[] = {
        {'n', OPTION_TEXT, "runs", "RUNS", "text", offsetof(struct outer, runs)}};
    static const struct option_pass pass = {
        .table = &inner,
        .offset = offsetof(struct outer, inner),
        .list_offset = offsetof(struct outer, passed),
        .title = "Options of run",
        .refusal = refuse_name,
    };
    static const struct option_table outer_table = {
        .usage = "compare [OPTIONS]", .about = "", .rows = own_rows, .count = 1, .pass = &pass};
    char *good[] = {"compare", "-m64m", "-n", "3", "-e", "A=1", "--interactive", "-e=B", "IMAGE"};
    static char *const bad[][2] = {
        {"--name=x", "--name: cannot be used here: because"},
        {"--memory=no", "--memory: "},
        {"--hidden=3", "--hidden: unknown option"},
        {"--memry=1", "--memry: unknown option; did you mean --memory?"}};
    struct outer outer = {0};
    struct error err = ERROR_INIT;
    char *help = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&help, &size);

    (void)state;
    assert_int_equal(options_parse(&outer_table, ARRAY_LENGTH(good), good, &outer, &err), 8);
    assert_string_equal(outer.runs, "3");
    assert_int_equal(outer.inner.memory, 64 << 20);
    assert_int_equal(outer.passed.count, 4);
    assert_string_equal(outer.passed.items[0], "--memory=64m");
    assert_string_equal(outer.passed.items[1], "--env=A=1");
    assert_string_equal(outer.passed.items[2], "--interactive");
    assert_string_equal(outer.passed.items[3], "--env=B");
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        char *words[] = {"compare", bad[i][0], "IMAGE"};

        assert_true(options_parse(&outer_table, 3, words, &outer, &err) < 0);
        assert_int_equal(strncmp(err.text, bad[i][1], strlen(bad[i][1])), 0);
    }
    options_write_help(&outer_table, out);
    fclose(out);
    assert_non_null(strstr(help, "\nOptions of run:\n  -m, --memory SIZE"));
    assert_null(strstr(help, "--name"));
    assert_null(strstr(help, "hidden"));
    free(help);
    string_list_release(&outer.inner.env);
    string_list_release(&outer.passed);
}

static void guesses(void **state)
{
    static const char *const words[] = {"run", "boot", "image", "doctor", "version", "help"};
    static const struct {
        const char *typed;
        const char *nearest;
    } cases[] = {
        {"rnu", "run"},       {"ru", "run"},
        {"bot", "boot"},      {"imgae", "image"},
        {"docter", "doctor"}, {"hlep", "help"},
        {"create", NULL},     {"", NULL},
        {"x", NULL},          {"versionversionversionversionversionversion", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const char *nearest = suggest_nearest(cases[i].typed, words, ARRAY_LENGTH(words));

        if (cases[i].nearest) {
            assert_non_null(nearest);
            assert_string_equal(nearest, cases[i].nearest);
        } else {
            assert_null(nearest);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_of_a_value),
        cmocka_unit_test(options_end_at_the_image),
        cmocka_unit_test(kinds_of_values),
        cmocka_unit_test(errors_name_the_option),
        cmocka_unit_test(help_lists_every_option),
        cmocka_unit_test(options_of_another_command_are_passed_on),
        cmocka_unit_test(guesses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
