/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs one command and says, on CLOCK_MONOTONIC in nanoseconds, when it was started, when its first
 * byte of output arrived and when it ended, and how much processor time it has used. Small and in
 * C, so that the instrument costs next to nothing on a clock that counts instructions.
 *
 * Usage: stamp [--root DIR] [--byte N] COMMAND [ARGUMENT...]
 * With --byte, the first byte of that value is waited for, whatever is printed before it.
 * The command gets /dev/null as input. Its output goes to our standard error. Our standard output
 * gets one line: START FIRST-BYTE END STATUS PROCESSOR MEMORY. First byte 0: there was none; status
 * 128+N: a signal; processor time in microseconds, of the command and all descendants that were
 * waited for; memory: the largest resident set among them, in KiB.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static uint64_t microseconds(const struct timeval *time)
{
    return (uint64_t)time->tv_sec * 1000000U + (uint64_t)time->tv_usec;
}

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "stamp: %s: %s\n", what, strerror(errno));
    exit(125);
}

/* Reads the command's output to its end; returns when the byte `wanted` (negative: any byte) came
 * first, 0 for never. */
static uint64_t drain(int fd, int wanted)
{
    uint64_t first = 0;
    char buffer[4096];

    for (;;) {
        ssize_t size = read(fd, buffer, sizeof(buffer));

        if (size <= 0)
            return first;
        if (first == 0 && (wanted < 0 || memchr(buffer, wanted, (size_t)size)))
            first = now_ns();
        if (write(STDERR_FILENO, buffer, (size_t)size) < 0)
            fail("standard error");
    }
}

/* Starts the command with no input and its output on `output`. It shares our memory until its
 * execve: the cheapest way to start a process. */
static pid_t start_command(char **command, int output)
{
    posix_spawn_file_actions_t actions;
    pid_t child;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    errno = posix_spawn(&child, command[0], &actions, NULL, command, environ);
    if (errno != 0)
        fail(command[0]);
    return child;
}

int main(int argc, char **argv)
{
    char **command = argv + 1;
    int output[2], status, wanted = -1;
    uint64_t start, first, end;
    struct rusage usage;
    pid_t child;

    (void)argc;
    for (; command[0] && command[1] && strncmp(command[0], "--", 2) == 0; command += 2) {
        if (strcmp(command[0], "--byte") == 0)
            wanted = atoi(command[1]);
        else if (strcmp(command[0], "--root") != 0 || chroot(command[1]) != 0 || chdir("/") != 0)
            fail(command[1]);
    }
    if (!*command) {
        fprintf(stderr, "usage: stamp [--root DIR] [--byte N] COMMAND [ARGUMENT...]\n");
        return 125;
    }
    if (pipe2(output, O_CLOEXEC) != 0)
        fail("pipe");

    start = now_ns();
    child = start_command(command, output[1]);
    close(output[1]);
    first = drain(output[0], wanted);
    if (wait4(child, &status, 0, &usage) != child)
        fail("wait4");
    end = now_ns();

    printf("%" PRIu64 " %" PRIu64 " %" PRIu64 " %d %" PRIu64 " %ld\n", start, first, end,
           WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status),
           microseconds(&usage.ru_utime) + microseconds(&usage.ru_stime), usage.ru_maxrss);
    return 0;
}
