/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The subcommand `check [PID]`: runs every check, each in a child of its own, and writes the
 * results. PID is a process of the host that exists for this.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest/probes/check.h"
#include "guest/probes/subcommands.h"

#define CHECK_SECONDS 5 /* then a check has no result */

static const struct check {
    const char *name;
    void (*run)(const struct check_context *context, struct fact *fact);
} checks[] = {
#define CHECK_ROW(name, ...) {#name, check_##name},
    CHECKS(CHECK_ROW)};

/* In a child, whose changes end with it. */
static void run(const struct check *check, const struct check_context *context, struct fact *fact)
{
    pid_t child = fork();
    int status = 0;

    if (child == 0) {
        alarm(CHECK_SECONDS);
        check->run(context, fact);
        _exit(0);
    }
    if (child < 0) {
        fact_set_text(fact, "fork: %s", strerror(errno));
    } else if (waitpid(child, &status, 0) == child && WIFSIGNALED(status)) {
        fact->outcome = FACT_REFUSED;
        fact_set_text(fact, "ended by signal %d", WTERMSIG(status));
    }
}

static void run_all(const struct check_context *context, struct fact *fact)
{
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        fact_begin(fact);
        run(&checks[i], context, fact);
        fact_write(fact, checks[i].name);
    }
}

static void add_namespace(struct json_line *line, const char *kind)
{
    char path[64];
    char name[64];
    ssize_t size;

    snprintf(path, sizeof(path), "/proc/self/ns/%s", kind);
    size = readlink(path, name, sizeof(name) - 1);
    if (size <= 0)
        return;
    name[size] = '\0';
    snprintf(path, sizeof(path), "ns_%s", kind);
    json_text(line, path, name);
}

/* Whether root is only root of a user namespace: user_namespaces(7), uid_map. */
static void add_user_namespace(struct json_line *line)
{
    FILE *file = fopen("/proc/self/uid_map", "re");
    unsigned inside = 0;
    unsigned outside = 0;
    unsigned count = 0;

    if (file && fscanf(file, "%u %u %u", &inside, &outside, &count) == 3)
        json_boolean(line, "user_namespace", inside != 0 || outside != 0 || count != 4294967295U);
    if (file)
        fclose(file);
}

static void write_self(void)
{
    static const char *const kinds[] = {"mnt", "pid",    "net",  "uts",
                                        "ipc", "cgroup", "user", "time"};
    static struct json_line line;

    json_begin(&line);
    json_text(&line, "check", "self");
    json_format(&line, "capabilities", "%016llx", (unsigned long long)fact_capabilities());
    json_number(&line, "uid", (int64_t)getuid());
    add_user_namespace(&line);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        add_namespace(&line, kinds[i]);
    json_end(&line);
}

int cmd_check(int argc, char **argv)
{
    struct check_context context = {.outside = argc > 0 ? atoi(argv[0]) : 0};
    struct fact *fact =
        mmap(NULL, sizeof(*fact), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (fact == MAP_FAILED)
        return 1;
    write_self();
    run_all(&context, fact);
    check_calls();
    return 0;
}
