/* SPDX-License-Identifier: Apache-2.0 */
/* Docker's rules for what finally runs, as tables: a row says what an image and a person
 * say, and what must come out. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/unit.h"
#include "vmm/base/bytes.h"
#include "vmm/oci/environment.h"
#include "vmm/oci/process.h"

#define LIST_MAX 8
#define PATH     "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n"
                             "daemon:x:1:1::/usr/sbin:/bin/false\n"
                             "a broken line\n"
                             "bad:x:number:0::/:/bin/sh\n"
                             "app:x:1000:1001:App,,,:/home/app:/bin/sh\n"
                             "1000:x:77:77::/seven:/bin/sh\n"
                             "nohome:x:5:5:::/bin/sh";
static const char group[] = "root:x:0:\n"
                            "wheel:x:10:root,app\n"
                            "app:x:1001:\n"
                            "video:x:44:app\n"
                            "audio:x:29:daemon,other\n"
                            "::\n"
                            "late:x:60:app";

static void fill(struct string_list *list, const char *const *items)
{
    for (; *items; items++)
        assert_int_equal(string_list_add(list, *items), 0);
}

static void assert_list(const struct string_list *list, const char *const *expected,
                        const char *what)
{
    size_t i = 0;

    for (; expected[i]; i++) {
        if (i >= list->count || strcmp(list->items[i], expected[i]) != 0)
            fail_msg("%s: item %zu is '%s', not '%s'", what, i,
                     i < list->count ? list->items[i] : "(none)", expected[i]);
    }
    if (list->count != i)
        fail_msg("%s: one item too many: '%s'", what, list->items[i]);
    assert_null(list->items[i]);
}

static const struct {
    const char *what;
    const char *entrypoint[LIST_MAX]; /* the image's */
    const char *cmd[LIST_MAX];
    const char *option; /* --entrypoint */
    const char *arguments[LIST_MAX];
    const char *expected[LIST_MAX]; /* none: an error */
} commands[] = {
    {"Cmd alone", {NULL}, {"sh", "-l"}, NULL, {NULL}, {"sh", "-l"}},
    {"Entrypoint alone", {"/bin/app"}, {NULL}, NULL, {NULL}, {"/bin/app"}},
    {"Cmd is appended", {"/bin/app"}, {"-x"}, NULL, {NULL}, {"/bin/app", "-x"}},
    {"arguments replace Cmd", {NULL}, {"sh"}, NULL, {"ls", "/"}, {"ls", "/"}},
    {"arguments follow Entrypoint",
     {"/bin/app", "a"},
     {"-x"},
     NULL,
     {"-y"},
     {"/bin/app", "a", "-y"}},
    {"--entrypoint drops Cmd", {"/bin/app"}, {"-x"}, "/bin/sh", {NULL}, {"/bin/sh"}},
    {"--entrypoint with arguments",
     {"/bin/app"},
     {"-x"},
     "/bin/sh",
     {"-c", "id"},
     {"/bin/sh", "-c", "id"}},
    {"empty --entrypoint", {"/bin/app"}, {"-x"}, "", {"ls"}, {"ls"}},
    {"empty --entrypoint drops Cmd", {"/bin/app"}, {"-x"}, "", {NULL}, {NULL}},
    {"shell form",
     {"/bin/sh", "-c", "exec app"},
     {NULL},
     NULL,
     {NULL},
     {"/bin/sh", "-c", "exec app"}},
    {"shell form ignores arguments as docker does",
     {"/bin/sh", "-c", "app"},
     {NULL},
     NULL,
     {"x"},
     {"/bin/sh", "-c", "app", "x"}},
    {"an empty argument stays", {NULL}, {NULL}, NULL, {"echo", "", "a b"}, {"echo", "", "a b"}},
    {"nothing at all", {NULL}, {NULL}, NULL, {NULL}, {NULL}},
    {"an empty command", {NULL}, {NULL}, NULL, {""}, {NULL}},
};

static void test_commands(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(commands); i++) {
        struct image_config config = {0};
        struct process_options options = {.hostname = "h", .entrypoint = commands[i].option};
        struct process process;
        struct error err = ERROR_INIT;
        int rc;

        fill(&config.entrypoint, commands[i].entrypoint);
        fill(&config.cmd, commands[i].cmd);
        fill(&options.arguments, commands[i].arguments);
        rc = process_resolve(&config, "", "", &options, &process, &err);
        if (!commands[i].expected[0]) {
            assert_int_equal(rc, -EINVAL);
            assert_non_null(strstr(err.text, "no command"));
        } else {
            assert_int_equal(rc, 0);
            assert_list(&process.arguments, commands[i].expected, commands[i].what);
            process_release(&process);
        }
        config_release(&config);
        string_list_release(&options.arguments);
    }
}

static const struct {
    const char *what;
    const char *image[LIST_MAX];
    const char *files; /* text of an --env-file */
    const char *options[LIST_MAX];
    bool terminal;
    const char *expected[LIST_MAX];
} environments[] = {
    {"defaults", {NULL}, NULL, {NULL}, false, {PATH, "HOSTNAME=box", "HOME=/root"}},
    {"a terminal", {NULL}, NULL, {NULL}, true, {PATH, "HOSTNAME=box", "TERM=xterm", "HOME=/root"}},
    {"the image's replace defaults in place",
     {"PATH=/bin", "TERM=dumb", "A=1"},
     NULL,
     {NULL},
     true,
     {"PATH=/bin", "HOSTNAME=box", "TERM=dumb", "A=1", "HOME=/root"}},
    {"a person's beat the image's and come first",
     {"A=1", "B=2"},
     NULL,
     {"B=3", "C=4"},
     false,
     {PATH, "HOSTNAME=box", "B=3", "C=4", "A=1", "HOME=/root"}},
    {"the last -e counts",
     {NULL},
     NULL,
     {"A=1", "A=2"},
     false,
     {PATH, "HOSTNAME=box", "A=2", "HOME=/root"}},
    {"-e beats a file",
     {NULL},
     "A=file\nB=file\n",
     {"A=option"},
     false,
     {PATH, "HOSTNAME=box", "A=option", "B=file", "HOME=/root"}},
    {"-e K takes the client's value",
     {NULL},
     NULL,
     {"CLIENT", "EMPTY"},
     false,
     {PATH, "HOSTNAME=box", "CLIENT=here", "EMPTY=", "HOME=/root"}},
    {"-e K removes the image's when the client has none",
     {"GONE=1", "A=1"},
     NULL,
     {"GONE"},
     false,
     {PATH, "HOSTNAME=box", "A=1", "HOME=/root"}},
    {"HOME may be set",
     {NULL},
     NULL,
     {"HOME=/elsewhere"},
     false,
     {PATH, "HOSTNAME=box", "HOME=/elsewhere"}},
    {"values may be empty and hold '='",
     {NULL},
     NULL,
     {"A=", "B=x=y"},
     false,
     {PATH, "HOSTNAME=box", "A=", "B=x=y", "HOME=/root"}},
    {"a name that begins like another",
     {"AB=1"},
     NULL,
     {"A=2"},
     false,
     {PATH, "HOSTNAME=box", "A=2", "AB=1", "HOME=/root"}},
    {"files: comments, white space, bare names, a mark at the start, ends of lines",
     {NULL},
     "\xef\xbb\xbf# comment\n\n  A=1 \r\nCLIENT\nNOTSET\n\t# indented\nB= 2",
     {NULL},
     false,
     {PATH, "HOSTNAME=box", "A=1 ", "CLIENT=here", "B= 2", "HOME=/root"}},
};

static char *const client[] = {(char *)"OTHER=x", (char *)"CLIENT=here", (char *)"EMPTY=", NULL};

static void test_environments(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(environments); i++) {
        struct image_config config = {0};
        struct process_options options = {.hostname = "box", .terminal = environments[i].terminal};
        struct process process;

        fill(&config.env, environments[i].image);
        fill(&config.cmd, (const char *const[]){"sh", NULL});
        if (environments[i].files)
            assert_int_equal(environment_add_file(&options.environment, "file",
                                                  environments[i].files, client, NULL),
                             0);
        for (size_t j = 0; environments[i].options[j]; j++)
            assert_int_equal(environment_add_option(&options.environment,
                                                    environments[i].options[j], client, NULL),
                             0);
        assert_int_equal(process_resolve(&config, passwd, group, &options, &process, NULL), 0);
        assert_list(&process.environment, environments[i].expected, environments[i].what);
        process_release(&process);
        config_release(&config);
        string_list_release(&options.environment);
    }
}

static void test_bad_environments(void **state)
{
    struct string_list list = {0};
    struct error err = ERROR_INIT;

    (void)state;
    assert_int_equal(environment_add_option(&list, "=x", client, &err), -EINVAL);
    assert_int_equal(environment_add_option(&list, "", client, &err), -EINVAL);
    assert_int_equal(environment_add_file(&list, "f", "A=1\nB C=2\n", client, &err), -EINVAL);
    assert_non_null(strstr(err.text, "f: line 2"));
    assert_int_equal(environment_add_file(&list, "f", "=1\n", client, &err), -EINVAL);
    assert_non_null(strstr(err.text, "f: line 1"));
    string_list_release(&list);
}

static const struct {
    const char *option; /* -u */
    const char *image;  /* User */
    int error;
    uint32_t uid;
    uint32_t gid;
    uint32_t groups[LIST_MAX]; /* up to UINT32_MAX */
    const char *home;
} users[] = {
    {NULL, NULL, 0, 0, 0, {0, 10, UINT32_MAX}, "HOME=/root"},
    {"", "nohome", 0, 5, 5, {5, UINT32_MAX}, "HOME=/"},
    {NULL, "app", 0, 1000, 1001, {1001, 10, 44, 60, UINT32_MAX}, "HOME=/home/app"},
    {"root", "app", 0, 0, 0, {0, 10, UINT32_MAX}, "HOME=/root"},
    {"1000", NULL, 0, 1000, 1001, {1001, 10, 44, 60, UINT32_MAX}, "HOME=/home/app"},
    {"app:audio", NULL, 0, 1000, 29, {29, UINT32_MAX}, "HOME=/home/app"},
    {"app:4711", NULL, 0, 1000, 4711, {4711, UINT32_MAX}, "HOME=/home/app"},
    {"app:", NULL, 0, 1000, 1001, {1001, 10, 44, 60, UINT32_MAX}, "HOME=/home/app"},
    {":video", NULL, 0, 0, 44, {44, UINT32_MAX}, "HOME=/root"},
    {"4711", NULL, 0, 4711, 0, {0, UINT32_MAX}, "HOME=/"},
    {"4711:4712", NULL, 0, 4711, 4712, {4712, UINT32_MAX}, "HOME=/"},
    {"nohome", NULL, 0, 5, 5, {5, UINT32_MAX}, "HOME=/"},
    {"2147483647:2147483647", NULL, 0, 2147483647, 2147483647, {2147483647, UINT32_MAX}, "HOME=/"},
    {"2147483648", NULL, ERANGE, 0, 0, {0}, NULL},
    {"app:99999999999999999999", NULL, ERANGE, 0, 0, {0}, NULL},
    {"nobody", NULL, ENOENT, 0, 0, {0}, NULL},
    {"bad", NULL, 0, 0, 0, {0, UINT32_MAX}, "HOME=/root"},
    {"-1", NULL, ENOENT, 0, 0, {0}, NULL},
    {"app:nogroup", NULL, ENOENT, 0, 0, {0}, NULL},
};

static void test_users(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(users); i++) {
        struct image_config config = {.user = (char *)(uintptr_t)users[i].image};
        struct process_options options = {.hostname = "h", .user = users[i].option};
        struct process process;
        struct error err = ERROR_INIT;
        size_t count = 0;
        int rc;

        fill(&options.arguments, (const char *const[]){"id", NULL});
        rc = process_resolve(&config, passwd, group, &options, &process, &err);
        string_list_release(&options.arguments);
        if (rc != -users[i].error)
            fail_msg("user %zu: %d %s", i, rc, err.text);
        if (rc < 0)
            continue;
        assert_int_equal(process.uid, users[i].uid);
        assert_int_equal(process.gid, users[i].gid);
        for (; users[i].groups[count] != UINT32_MAX; count++) {
            assert_true(count < process.group_count);
            assert_int_equal(process.groups[count], users[i].groups[count]);
        }
        assert_int_equal(process.group_count, count);
        assert_string_equal(process.environment.items[process.environment.count - 1],
                            users[i].home);
        process_release(&process);
    }
}

/* Lines as images have them, read as github.com/moby/sys/user reads them. */
static const char odd_passwd[] = "\r\n"
                                 "  root:x:0:0:root:/root:/bin/sh \r\n"
                                 "\n"
                                 "toor:x:0:0::/toor:\n"
                                 "nameonly\n"
                                 "three:x:3\r\n"
                                 "four:x:4:5\n"
                                 "six:x:6:6::/six\r\n"
                                 "minus:x:-2:-2::/:\n"
                                 "large:x:4294967296:1::/:\n"
                                 "plus:x:+7:+8::/plus:\n"
                                 "empty:x:::::\n"
                                 "eight:x:8:8:a:/eight:/bin/sh:more:fields\n"
                                 "+@netgroup::::::\n"
                                 "+nis\n"
                                 "last:x:9:9::/last:";
static const char odd_group[] = "two:x\r\n"
                                "three:x:33\r\n"
                                "\n"
                                "list:x:44:six,three\r\n"
                                "nonumber:x::six\n"
                                "large:x:99999999999:six\n"
                                "+:::\n"
                                "last:x:55:six";

static void test_odd_lines(void **state)
{
    static const struct {
        const char *user;
        int error;
        uint32_t uid, gid;
        uint32_t groups[LIST_MAX]; /* up to UINT32_MAX */
        const char *home;
    } rows[] = {
        {"root", 0, 0, 0, {0, UINT32_MAX}, "HOME=/root"},
        {"toor", 0, 0, 0, {0, UINT32_MAX}, "HOME=/root"},
        {"nameonly", 0, 0, 0, {0, UINT32_MAX}, "HOME=/root"},
        {"three", 0, 3, 0, {0, 44, UINT32_MAX}, "HOME=/"},
        {"four", 0, 4, 5, {5, UINT32_MAX}, "HOME=/"},
        {"six", 0, 6, 6, {6, 44, 0, 55, UINT32_MAX}, "HOME=/six"},
        {"6", 0, 6, 6, {6, 44, 0, 55, UINT32_MAX}, "HOME=/six"},
        {"minus", ENOENT, 0, 0, {0}, NULL},
        {"large", ENOENT, 0, 0, {0}, NULL},
        {"plus", 0, 7, 8, {8, UINT32_MAX}, "HOME=/plus"},
        {"empty", 0, 0, 0, {0, UINT32_MAX}, "HOME=/root"},
        {"eight", 0, 8, 8, {8, UINT32_MAX}, "HOME=/eight"},
        {"+nis", 0, 0, 0, {0, UINT32_MAX}, "HOME=/root"},
        {"nis", ENOENT, 0, 0, {0}, NULL},
        {"last", 0, 9, 9, {9, UINT32_MAX}, "HOME=/last"},
        {"last:two", 0, 9, 0, {0, UINT32_MAX}, "HOME=/last"},
        {"last:three", 0, 9, 33, {33, UINT32_MAX}, "HOME=/last"},
        {"last:last", 0, 9, 55, {55, UINT32_MAX}, "HOME=/last"},
        {"last:large", ENOENT, 0, 0, {0}, NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct image_config config = {0};
        struct process_options options = {.hostname = "h", .user = rows[i].user};
        struct process process;
        struct error err = ERROR_INIT;
        size_t count = 0;
        int rc;

        fill(&options.arguments, (const char *const[]){"id", NULL});
        rc = process_resolve(&config, odd_passwd, odd_group, &options, &process, &err);
        string_list_release(&options.arguments);
        if (rc != -rows[i].error)
            fail_msg("user %s: %d %s", rows[i].user, rc, err.text);
        if (rc < 0)
            continue;
        assert_int_equal(process.uid, rows[i].uid);
        assert_int_equal(process.gid, rows[i].gid);
        for (; rows[i].groups[count] != UINT32_MAX; count++) {
            assert_true(count < process.group_count);
            assert_int_equal(process.groups[count], rows[i].groups[count]);
        }
        assert_int_equal(process.group_count, count);
        assert_string_equal(process.environment.items[process.environment.count - 1], rows[i].home);
        process_release(&process);
    }
}

/* A long list of members is one line all the same, and takes no time that grows faster than it. */
static void test_a_huge_group_file(void **state)
{
    const size_t count = 100000;
    struct process_options options = {.hostname = "h", .user = "last"};
    struct image_config config = {0};
    struct process process;
    char *text = malloc(count * 8 + 64);
    char *at = text;

    (void)state;
    assert_non_null(text);
    at += sprintf(at, "big:x:77:");
    for (size_t i = 0; i < count; i++)
        at += sprintf(at, "u%06zu,", i);
    sprintf(at, "last");
    fill(&options.arguments, (const char *const[]){"id", NULL});
    assert_int_equal(process_resolve(&config, odd_passwd, text, &options, &process, NULL), 0);
    assert_int_equal(process.group_count, 2);
    assert_int_equal(process.groups[1], 77);
    process_release(&process);
    string_list_release(&options.arguments);
    free(text);
}

static void test_unknown_user_message(void **state)
{
    struct image_config config = {0};
    struct process_options options = {.hostname = "h", .user = "who"};
    struct process process;
    struct error err = ERROR_INIT;

    (void)state;
    fill(&config.cmd, (const char *const[]){"sh", NULL});
    assert_int_equal(process_resolve(&config, "", "", &options, &process, &err), -ENOENT);
    assert_string_equal(err.text, "unable to find user who: no matching entries in passwd file");
    options.user = "0:them";
    assert_int_equal(process_resolve(&config, "", "", &options, &process, &err), -ENOENT);
    assert_string_equal(err.text, "unable to find group them: no matching entries in group file");
    config_release(&config);
}

static const struct {
    const char *option;
    const char *image;
    const char *expected; /* null: an error */
} directories[] = {
    {NULL, NULL, "/"},        {NULL, "/srv", "/srv"},   {"/tmp", "/srv", "/tmp"},
    {"relative", NULL, NULL}, {NULL, "relative", NULL}, {"", "/srv", "/srv"},
};

static void test_directories(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(directories); i++) {
        struct image_config config = {.working_dir = (char *)(uintptr_t)directories[i].image};
        struct process_options options = {.hostname = "h", .working_dir = directories[i].option};
        struct process process;
        int rc;

        fill(&options.arguments, (const char *const[]){"pwd", NULL});
        rc = process_resolve(&config, "", "", &options, &process, NULL);
        string_list_release(&options.arguments);
        assert_int_equal(rc, directories[i].expected ? 0 : -EINVAL);
        if (rc < 0)
            continue;
        assert_string_equal(process.working_dir, directories[i].expected);
        process_release(&process);
    }
}

static const struct {
    const char *text;
    int number; /* negative: none */
} signals[] = {
    {"15", 15},
    {"SIGTERM", 15},
    {"TERM", 15},
    {"sigkill", 9},
    {"KILL", 9},
    {"SIGWINCH", 28},
    {"SIGRTMIN", 34},
    {"SIGRTMIN+3", 37},
    {"RTMIN+30", 64},
    {"SIGRTMAX", 64},
    {"SIGRTMAX-1", 63},
    {"64", 64},
    {"0", -EINVAL},
    {"65", -EINVAL},
    {"", -EINVAL},
    {"SIG", -EINVAL},
    {"NOPE", -EINVAL},
    {"RTMIN-1", -EINVAL},
    {"RTMIN+31", -EINVAL},
    {"RTMAX+1", -EINVAL},
    {"-15", -EINVAL},
    {"15x", -EINVAL},
    {"99999999999", -EINVAL},
};

static void test_signals(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(signals); i++) {
        if (process_signal_number(signals[i].text) != signals[i].number)
            fail_msg("'%s' is %d", signals[i].text, process_signal_number(signals[i].text));
    }
}

static void test_stop_signal(void **state)
{
    char interrupt[] = "SIGINT";
    char wrong[] = "SIGNAL";
    struct image_config config = {0};
    struct process_options options = {.hostname = "h"};
    struct process process;

    (void)state;
    fill(&config.cmd, (const char *const[]){"sh", NULL});
    assert_int_equal(process_resolve(&config, "", "", &options, &process, NULL), 0);
    assert_int_equal(process.stop_signal, SIGTERM);
    process_release(&process);
    config.stop_signal = interrupt;
    assert_int_equal(process_resolve(&config, "", "", &options, &process, NULL), 0);
    assert_int_equal(process.stop_signal, SIGINT);
    process_release(&process);
    config.stop_signal = wrong;
    assert_int_equal(process_resolve(&config, "", "", &options, &process, NULL), -EINVAL);
    config.stop_signal = NULL;
    config_release(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_environments),
        cmocka_unit_test(test_bad_environments),
        cmocka_unit_test(test_users),
        cmocka_unit_test(test_odd_lines),
        cmocka_unit_test(test_a_huge_group_file),
        cmocka_unit_test(test_unknown_user_message),
        cmocka_unit_test(test_directories),
        cmocka_unit_test(test_signals),
        cmocka_unit_test(test_stop_signal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
