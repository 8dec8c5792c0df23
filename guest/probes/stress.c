/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The subcommands `bomb LIMIT` and `hog LIMIT`: try to use more processes or more memory than a
 * limit allows, and report the result.
 *
 * Without side effects: LIMIT is what the host has set. If that limit, or a smaller one, is not
 * visible inside, nothing starts. If it is visible and does not hold, the caps below end the
 * attempt.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest/probes/json_line.h"
#include "guest/probes/subcommands.h"

#define FORKS_MAX    200
#define MIB          (1ULL << 20)
#define HOG_MAX      (256 * MIB)
#define HOLD_SECONDS 1 /* time for the noisy neighbour check */
#define PAGE         4096

/* The number in the first of these files that exists; -1 = none. "max" counts as none. */
static long long read_first(const char *const *paths, const char **from)
{
    for (; *paths; paths++) {
        FILE *file = fopen(*paths, "re");
        long long value = -1;

        if (!file)
            continue;
        if (fscanf(file, "%lld", &value) != 1)
            value = -1;
        fclose(file);
        *from = *paths;
        return value;
    }
    return -1;
}

/* The value behind `name` in a file of lines "name value"; -1 = missing. */
static long long read_named(const char *path, const char *name)
{
    FILE *file = fopen(path, "re");
    char word[64];
    long long value;
    long long found = -1;

    while (file && fscanf(file, "%63s %lld", word, &value) == 2)
        if (strcmp(word, name) == 0)
            found = value;
    if (file)
        fclose(file);
    return found;
}

static int write_untested(struct json_line *line, const char *reason)
{
    json_text(line, "outcome", "untested");
    json_text(line, "text", reason);
    return json_end(line) < 0;
}

/* ---- processes ------------------------------------------------------------------------------- */

static unsigned fork_until_refused(pid_t *children, int *error)
{
    unsigned count = 0;

    *error = 0;
    while (count < FORKS_MAX) {
        pid_t child = fork();

        if (child == 0) {
            alarm(HOLD_SECONDS * 10); /* in case nothing ends it */
            for (;;)
                pause();
        }
        if (child < 0) {
            *error = errno;
            break;
        }
        children[count++] = child;
    }
    return count;
}

int cmd_bomb(int argc, char **argv)
{
    static const char *const paths[] = {"/sys/fs/cgroup/pids.max", "/sys/fs/cgroup/pids/pids.max",
                                        NULL};
    static struct json_line line;
    static pid_t children[FORKS_MAX];
    long long wanted = argc > 0 ? atoll(argv[0]) : 0;
    const char *from = "";
    long long limit = read_first(paths, &from);
    unsigned count;
    int error;

    json_begin(&line);
    json_text(&line, "check", "bomb");
    if (limit <= 0 || limit > wanted)
        return write_untested(&line, "no limit is visible in pids.max");
    count = fork_until_refused(children, &error);
    sleep(HOLD_SECONDS);
    for (unsigned i = 0; i < count; i++)
        kill(children[i], SIGKILL);
    for (unsigned i = 0; i < count; i++)
        waitpid(children[i], NULL, 0);
    json_text(&line, "outcome", error ? "refused" : "allowed");
    if (error)
        json_text(&line, "error", error == EAGAIN ? "EAGAIN" : strerror(error));
    json_number(&line, "forks", count);
    json_number(&line, "limit", limit);
    json_text(&line, "path", from);
    json_number(&line, "refusals", read_named("/sys/fs/cgroup/pids.events", "max"));
    return json_end(&line) < 0;
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* The strictest visible limit: the cgroup's, or all memory. */
static unsigned long long memory_limit(const char **from)
{
    static const char *const paths[] = {"/sys/fs/cgroup/memory.max",
                                        "/sys/fs/cgroup/memory/memory.limit_in_bytes", NULL};
    long long limit = read_first(paths, from);
    struct sysinfo info;
    unsigned long long all =
        sysinfo(&info) == 0 ? info.totalram * (unsigned long long)info.mem_unit : ~0ULL;

    if (limit > 0 && (unsigned long long)limit < all)
        return (unsigned long long)limit;
    *from = "MemTotal";
    return all;
}

/* In a child, which is the first choice of the OOM killer. */
__attribute__((noreturn)) static void take_memory(atomic_ullong *taken)
{
    int score = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

    if (score >= 0) {
        (void)!write(score, "1000", 4);
        close(score);
    }
    while (atomic_load(taken) < HOG_MAX) {
        unsigned char *piece =
            mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (piece == MAP_FAILED)
            _exit(1);
        for (size_t at = 0; at < MIB; at += PAGE)
            piece[at] = 1;
        atomic_fetch_add(taken, MIB);
    }
    sleep(HOLD_SECONDS);
    _exit(0);
}

int cmd_hog(int argc, char **argv)
{
    static struct json_line line;
    unsigned long long wanted = argc > 0 ? strtoull(argv[0], NULL, 10) : 0;
    const char *from = "";
    unsigned long long limit = memory_limit(&from);
    atomic_ullong *taken =
        mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status = 0;
    pid_t child;

    json_begin(&line);
    json_text(&line, "check", "hog");
    if (taken == MAP_FAILED || limit > wanted || limit > HOG_MAX)
        return write_untested(&line, "no limit of memory is visible inside");
    child = fork();
    if (child == 0)
        take_memory(taken);
    if (child < 0 || waitpid(child, &status, 0) < 0)
        return write_untested(&line, strerror(errno));
    json_text(&line, "outcome", status == 0 ? "allowed" : "refused");
    json_number(&line, "taken", (int64_t)atomic_load(taken));
    json_number(&line, "limit", (int64_t)limit);
    json_text(&line, "path", from);
    json_number(&line, "signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    json_number(&line, "oom_kills", read_named("/sys/fs/cgroup/memory.events", "oom_kill"));
    return json_end(&line) < 0;
}
