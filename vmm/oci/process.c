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
    static const struct string_list none = {0};
    const struct string_list *more = options->entrypoint ? &none : &config->cmd;
    struct string_list *arguments = &process->arguments;
    int rc = 0;

    if (options->arguments.count > 0)
        more = &options->arguments;
    if (!options->entrypoint)
        rc = string_list_add_all(arguments, &config->entrypoint);
    else if (options->entrypoint[0])
        rc = string_list_add(arguments, options->entrypoint);
    if (rc < 0 || string_list_add_all(arguments, more) < 0)
        return out_of_memory(err);
    if (arguments->count == 0 || arguments->items[0][0] == '\0')
        return error_set(err, EINVAL,
                         "no command: the image names none, so write one after the image");
    return 0;
}

/* Settings of the user, then those of the image that the user did not set. */
static int put_settings(const struct image_config *config, const struct string_list *given,
                        struct string_list *environment)
{
    for (size_t i = 0; i < given->count; i++)
        if (environment_put(environment, given->items[i]) < 0)
            return -ENOMEM;
    for (size_t i = 0; i < config->env.count; i++) {
        const char *setting = config->env.items[i];

        if (setting[0] != '=' && !environment_has(given, setting) &&
            environment_put(environment, setting) < 0)
            return -ENOMEM;
    }
    return 0;
}

/* Defaults first; a later setting replaces an earlier one. HOME comes last, from the image's
 * passwd.
 */
static int resolve_environment(const struct image_config *config,
                               const struct process_options *options, const char *home,
                               struct process *process)
{
    struct string_list *environment = &process->environment;

    if (string_list_add(environment, DEFAULT_PATH) < 0 ||
        string_list_add_format(environment, "HOSTNAME=%s", options->hostname) < 0 ||
        (options->terminal && string_list_add(environment, "TERM=xterm") < 0) ||
        put_settings(config, &options->environment, environment) < 0)
        return -ENOMEM;
    if (environment_has(environment, "HOME"))
        return 0;
    return string_list_add_format(environment, "HOME=%s", home);
}

/* The user's value counts unless it is absent or empty. */
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

    if (rc < 0)
        return rc;
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
