/* SPDX-License-Identifier: Apache-2.0 */
/* Docker's rules for what finally runs; see process.h. */
#include "vmm/oci/process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "vmm/base/bytes.h"
#include "vmm/oci/environment.h"
#include "vmm/oci/user.h"

#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* As users of docker count them: the two that libc keeps for itself are left out. */
#define NUMBER_SIGRTMIN 34
#define NUMBER_SIGRTMAX 64

static int parse_number(const char *text, int max)
{
    int value = 0;

    if (*text == '\0')
        return -EINVAL;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return -EINVAL;
        value = value * 10 + (*text - '0');
        if (value > max)
            return -EINVAL;
    }
    return value;
}

static int real_time_number(const char *name)
{
    bool from_max = strncasecmp(name, "RTMAX", 5) == 0;
    int offset = 0;

    if (!from_max && strncasecmp(name, "RTMIN", 5) != 0)
        return -EINVAL;
    if (name[5] != '\0') {
        if (name[5] != (from_max ? '-' : '+'))
            return -EINVAL;
        offset = parse_number(name + 6, NUMBER_SIGRTMAX - NUMBER_SIGRTMIN);
    }
    if (offset < 0)
        return -EINVAL;
    return from_max ? NUMBER_SIGRTMAX - offset : NUMBER_SIGRTMIN + offset;
}

int process_signal_number(const char *text)
{
    int number = parse_number(text, NUMBER_SIGRTMAX);

    if (number >= 0)
        return number > 0 ? number : -EINVAL;
    if (strncasecmp(text, "SIG", 3) == 0)
        text += 3;
    for (int signal = 1; signal < NUMBER_SIGRTMIN; signal++) {
        const char *name = sigabbrev_np(signal);

        if (name && strcasecmp(name, text) == 0)
            return signal;
    }
    return real_time_number(text);
}

static int out_of_memory(struct error *err)
{
    return error_set_errno(err, ENOMEM, "process");
}

/* The entry point replaces the image's and then also its Cmd; arguments replace only Cmd. */
static int resolve_arguments(const struct image_config *config,
                             const struct process_options *options, struct process *process,
                             struct error *err)
{
    struct string_list *arguments = &process->arguments;
    int rc = 0;

    if (!options->entrypoint)
        rc = string_list_add_all(arguments, &config->entrypoint);
    else if (options->entrypoint[0])
        rc = string_list_add(arguments, options->entrypoint);
    if (rc == 0 && options->arguments.count > 0)
        rc = string_list_add_all(arguments, &options->arguments);
    else if (rc == 0 && !options->entrypoint)
        rc = string_list_add_all(arguments, &config->cmd);
    if (rc < 0)
        return out_of_memory(err);
    if (arguments->count == 0 || arguments->items[0][0] == '\0')
        return error_set(err, EINVAL,
                         "no command: the image names none, so write one after the image");
    return 0;
}

/*
 * Defaults first, then the person's settings and then those of the image that the person did not
 * set; a later one takes the place of an earlier one. HOME comes last, from the image's passwd.
 */
static int resolve_environment(const struct image_config *config,
                               const struct process_options *options, const char *home,
                               struct process *process)
{
    struct string_list *environment = &process->environment;
    int rc = string_list_add(environment, DEFAULT_PATH);

    if (rc == 0)
        rc = string_list_add_format(environment, "HOSTNAME=%s", options->hostname);
    if (rc == 0 && options->terminal)
        rc = string_list_add(environment, "TERM=xterm");
    for (size_t i = 0; rc == 0 && i < options->environment.count; i++)
        rc = environment_put(environment, options->environment.items[i]);
    for (size_t i = 0; rc == 0 && i < config->env.count; i++) {
        if (config->env.items[i][0] != '=' &&
            !environment_has(&options->environment, config->env.items[i]))
            rc = environment_put(environment, config->env.items[i]);
    }
    if (rc == 0 && !environment_has(environment, "HOME"))
        rc = string_list_add_format(environment, "HOME=%s", home);
    return rc;
}

/* A person's value counts unless it is absent or empty. */
static const char *choose(const char *option, const char *image)
{
    return option && *option ? option : image;
}

static int resolve_working_dir(const struct image_config *config,
                               const struct process_options *options, struct process *process,
                               struct error *err)
{
    const char *directory = choose(options->working_dir, config->working_dir);

    if (!directory)
        directory = "/";
    if (directory[0] != '/')
        return error_set(err, EINVAL,
                         "the working directory '%s' is invalid, it needs to be an absolute path",
                         directory);
    process->working_dir = strdup(directory);
    return process->working_dir ? 0 : out_of_memory(err);
}

static int resolve(const struct image_config *config, const char *passwd, const char *group,
                   const struct process_options *options, struct process *process,
                   struct error *err)
{
    struct user user;
    int rc = resolve_arguments(config, options, process, err);

    if (rc == 0)
        rc = resolve_working_dir(config, options, process, err);
    if (rc < 0)
        return rc;
    process->stop_signal = SIGTERM;
    if (config->stop_signal) {
        process->stop_signal = process_signal_number(config->stop_signal);
        if (process->stop_signal < 0)
            return error_set(err, EINVAL, "the image's stop signal '%s' is not a signal",
                             config->stop_signal);
    }
    rc = user_resolve(choose(options->user, config->user), passwd, group, &user, err);
    if (rc < 0)
        return rc;
    process->uid = user.uid;
    process->gid = user.gid;
    process->groups = user.groups;
    process->group_count = user.group_count;
    user.groups = NULL;
    rc = resolve_environment(config, options, user.home, process);
    user_release(&user);
    return rc < 0 ? out_of_memory(err) : 0;
}

int process_resolve(const struct image_config *config, const char *passwd, const char *group,
                    const struct process_options *options, struct process *process,
                    struct error *err)
{
    int rc;

    *process = (struct process){0};
    rc = resolve(config, passwd, group, options, process, err);
    if (rc < 0)
        process_release(process);
    return rc;
}

void process_release(struct process *process)
{
    string_list_release(&process->arguments);
    string_list_release(&process->environment);
    free(process->working_dir);
    free(process->groups);
    *process = (struct process){0};
}
