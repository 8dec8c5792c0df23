/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: run microvm-import and read its report.
 *
 * The program writes lines to its standard output: "image DIGEST NAME" for each image that is in
 * the store now (NAME may be missing), or one "error NUMBER TEXT". Its standard input is ours,
 * because the archive may come that way.
 */
#include "vmm/image/load.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/program_file.h"
#include "vmm/image/digest.h"

static int add_arguments(struct string_list *arguments, const char *program,
                         const struct load_options *options)
{
    int rc = string_list_add(arguments, program);

    rc |= string_list_add(arguments, "load");
    rc |= string_list_add(arguments, "--store");
    rc |= string_list_add(arguments, options->store);
    if (options->name) {
        rc |= string_list_add(arguments, "--name");
        rc |= string_list_add(arguments, options->name);
    }
    if (options->unnamed)
        rc |= string_list_add(arguments, "--unnamed");
    rc |= string_list_add(arguments, "--");
    rc |= string_list_add(arguments, options->path);
    return rc;
}

static int start(const char *program, const struct load_options *options, int output, pid_t *pid,
                 struct error *err)
{
    AUTO_STRING_LIST struct string_list arguments = {0};
    posix_spawn_file_actions_t actions;
    int rc;

    if (add_arguments(&arguments, program, options) < 0)
        return error_set_errno(err, ENOMEM, "%s", program);
    rc = posix_spawn_file_actions_init(&actions);
    if (rc == 0) {
        rc = posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
        if (rc == 0)
            rc = posix_spawn(pid, program, &actions, NULL, arguments.items, environ);
        posix_spawn_file_actions_destroy(&actions);
    }
    return rc ? error_set_errno(err, rc, "cannot start %s", program) : 0;
}

static int take_image(char *line, struct string_list *ids, struct string_list *names,
                      struct error *err)
{
    char *name = strchr(line, ' ');

    if (name)
        *name++ = '\0';
    if (!digest_is_valid(line))
        return error_set(err, EPROTO, "microvm-import reported '%.100s'", line);
    if (string_list_add(ids, line) < 0 || (names && string_list_add(names, name ? name : "") < 0))
        return error_set_errno(err, ENOMEM, "microvm-import");
    return 0;
}

static int take_error(char *line, struct error *err)
{
    char *text;
    long code = strtol(line, &text, 10);

    if (code <= 0 || code > 4095 || *text != ' ')
        return error_set(err, EPROTO, "microvm-import reported '%.100s'", line);
    return error_set(err, (int)code, "%s", text + 1);
}

/* Reads to the end in any case, so that the program never waits for us. */
static int read_report(FILE *report, struct string_list *ids, struct string_list *names,
                       struct error *err)
{
    AUTO_FREE char *line = NULL;
    size_t capacity = 0;
    ssize_t length;
    int rc = 0;

    while ((length = getline(&line, &capacity, report)) > 0) {
        if (line[length - 1] == '\n')
            line[length - 1] = '\0';
        if (rc < 0)
            continue;
        if (strncmp(line, "image ", 6) == 0)
            rc = take_image(line + 6, ids, names, err);
        else if (strncmp(line, "error ", 6) == 0)
            rc = take_error(line + 6, err);
        else
            rc = error_set(err, EPROTO, "microvm-import reported '%.100s'", line);
    }
    return rc;
}

static int wait_for_end(pid_t pid, const char *path, struct error *err)
{
    int status;

    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return error_set_errno(err, errno, "microvm-import");
    }
    if (WIFSIGNALED(status))
        return error_set(err, ECHILD, "%s: the import was ended by signal %d (%s)", path,
                         WTERMSIG(status), strsignal(WTERMSIG(status)));
    if (WEXITSTATUS(status) != 0)
        return error_set(err, ECHILD, "%s: the import ended with status %d", path,
                         WEXITSTATUS(status));
    return 0;
}

int image_load(const struct load_options *options, struct string_list *ids,
               struct string_list *names, struct error *err)
{
    AUTO_FREE char *program = NULL;
    AUTO_CLOSE int input = -1;
    AUTO_CLOSE int output = -1;
    AUTO_FCLOSE FILE *report = NULL;
    struct error end = ERROR_INIT;
    int pipes[2];
    pid_t pid = -1;
    int ended;
    int rc = program_file_find(&program_file_import, options->program, &program, err);

    if (rc < 0)
        return rc;
    if (pipe2(pipes, O_CLOEXEC) < 0)
        return error_set_errno(err, errno, "microvm-import");
    input = pipes[0];
    output = pipes[1];
    report = fdopen(input, "r");
    if (!report)
        return error_set_errno(err, errno, "microvm-import");
    steal_fd(&input); /* the stream owns it now */
    rc = start(program, options, output, &pid, err);
    if (rc < 0)
        return rc;
    close(steal_fd(&output));
    rc = read_report(report, ids, names, err);
    ended = wait_for_end(pid, options->path, &end);
    if (rc == 0 && ended < 0)
        rc = error_set(err, end.code, "%s", end.text);
    if (rc == 0 && ids->count == 0)
        rc = error_set(err, EPROTO, "%s: microvm-import reported nothing", options->path);
    return rc;
}
