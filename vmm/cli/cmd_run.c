/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `microvm run`: an image and the user's options become a bundle, which a sandbox runs.
 *
 * The command line is checked before anything is created. Once the instance exists, every way out
 * removes it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/base/bytes.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/io.h"
#include "vmm/base/log.h"
#include "vmm/base/parse.h"
#include "vmm/base/terminal.h"
#include "vmm/cli/commands.h"
#include "vmm/cli/image_argument.h"
#include "vmm/cli/options.h"
#include "vmm/cli/report_fd.h"
#include "vmm/cli/run_options.h"
#include "vmm/cli/vm_options.h"
#include "vmm/container/instance.h"
#include "vmm/image/image.h"
#include "vmm/network/passt.h"
#include "vmm/oci/bundle.h"
#include "vmm/oci/environment.h"
#include "vmm/oci/process.h"
#include "vmm/sandbox/registry.h"

#define ENV_FILE_MAX (1U << 20)
#define HOSTNAME_MAX 64 /* bytes, as the kernel's */
#define PROGRAM_MAX  (64U << 20)
#define PIDS_MAX     (1U << 22)    /* the kernel's PID_MAX_LIMIT */
#define DISK_MIN     (16ULL << 20) /* an ext4 with its journal */

/* --program FILE, in memory. */
struct program {
    char *data;
    size_t size;
};

/* The state of a run. */
struct run {
    const struct run_options *options;
    const struct sandbox *sandbox;
    struct timeline timeline;
    struct explanation explanation;
    struct instance instance;
    struct sandbox_options sandbox_options;
    void *sandbox_state; /* what the sandbox keeps, from its prepare() on */
    char hostname[HOSTNAME_MAX + 1];
    struct program program;
    enum run_stage stage;
    struct error failure; /* why the command could not be executed; code 0 = it could */
};

/* The characters of host names only: others would break programs that resolve their own name. */
static int check_hostname(const char *hostname, struct error *err)
{
    size_t length = strlen(hostname);

    if (length == 0 || length > HOSTNAME_MAX || hostname[0] == '-' ||
        strspn(hostname, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") !=
            length)
        return error_set(
            err, EINVAL,
            "--hostname: '%s' is not a host name; use letters, digits, '.', '-' and '_', "
            "at most %d",
            hostname, HOSTNAME_MAX);
    return 0;
}

static int check_limits(struct run *run, struct error *err)
{
    const struct run_options *options = run->options;
    struct sandbox_options *wanted = &run->sandbox_options;
    struct sandbox_limits *limits = &wanted->limits;
    int rc = vm_options_cpus(options->cpus, &wanted->vcpu_count, &limits->millicpus, err);

    if (rc < 0)
        return rc;
    limits->memory_bytes = options->memory;
    if (run->sandbox->traits & SANDBOX_VM) {
        rc = vm_options_memory(options->memory, true, &wanted->vm_memory_bytes, err);
        if (rc < 0)
            return rc;
    }
    /* With docker, -1 and 0 are no limit. */
    if (!options->pids || strcmp(options->pids, "-1") == 0)
        return 0;
    return parse_u64(options->pids, "--pids-limit", 0, PIDS_MAX, &limits->pids, err);
}

static int check_network(struct run *run, struct error *err)
{
    const char *network = run->options->network;

    const struct string_list *publish = &run->options->publish;
    struct sandbox_options *wanted = &run->sandbox_options;
    int rc = publish_parse(publish, &wanted->ports, err);

    if (rc < 0)
        return rc;
    /* Who publishes a port wants a network. */
    wanted->network = network ? strcmp(network, "none") != 0 : publish->count > 0;
    if (network && wanted->network && strcmp(network, "passt") != 0)
        return error_set(err, EINVAL, "--network: unknown network '%s'; available: none, passt",
                         network);
    if (publish->count > 0 && !wanted->network)
        return error_set(err, EINVAL, "--publish needs a network: use --network=passt");
    return publish_check(&wanted->ports, err);
}

/* Checks the values of single options. */
static int check_values(struct run *run, struct error *err)
{
    const struct run_options *options = run->options;
    int rc = sandbox_find(options->isolation, &run->sandbox, err);

    if (rc < 0)
        return rc;
    rc = vm_options_timeline_check(options->timeline, err);
    if (rc < 0)
        return rc;
    rc = explain_check(options->explain, options->terminal, err);
    if (rc < 0)
        return rc;
    rc = options->name ? instance_check_name(options->name, err) : 0;
    if (rc < 0)
        return rc;
    rc = vm_options_jail(options->jail, options->jail_uid, &run->sandbox_options.jail, err);
    if (rc < 0)
        return rc;
    rc = check_network(run, err);
    if (rc < 0)
        return rc;
    rc = options->hostname ? check_hostname(options->hostname, err) : 0;
    if (rc < 0)
        return rc;
    return check_limits(run, err);
}

/* Checks all options that need no image; fills the sandbox's. */
static int check_options(struct run *run, struct error *err)
{
    const struct run_options *options = run->options;
    struct sandbox_options *wanted = &run->sandbox_options;
    int rc = check_values(run, err);

    if (rc < 0)
        return rc;
    if (options->disk > 0 && options->disk < DISK_MIN)
        return error_set(err, ERANGE, "--disk: %llu KiB is too small; give at least %llum",
                         (unsigned long long)options->disk >> 10, DISK_MIN >> 20);
    if (options->program && options->entrypoint)
        return error_set(err, EINVAL, "--program and --entrypoint cannot be used together");
    if (options->terminal && options->interactive && !isatty(STDIN_FILENO))
        return error_set(err, ENOTTY,
                         "-t with -i: standard input is not a terminal; omit -t to use a pipe");
    wanted->interactive = options->interactive;
    wanted->terminal = options->terminal;
    wanted->disk_bytes = align_up(options->disk, 4096);
    wanted->earlycon = options->earlycon;
    wanted->kernel = options->kernel;
    wanted->initramfs = options->initramfs;
    wanted->runtime = options->runtime;
    wanted->cgroup_parent = options->cgroup_parent;
    wanted->explanation = options->explain ? &run->explanation : NULL;
    run->explanation.live = options->explain && *options->explain;
    run->explanation.machine = run->sandbox->traits & SANDBOX_EXIT_STATISTICS;
    return 0;
}

static int add_environment(const struct run_options *options, struct string_list *environment,
                           struct error *err)
{
    for (size_t i = 0; i < options->env_files.count; i++) {
        AUTO_FREE char *text = NULL;
        const char *path = options->env_files.items[i];
        size_t size;
        int rc = io_read_file(AT_FDCWD, path, ENV_FILE_MAX, &text, &size, err);

        if (rc < 0)
            return error_wrap(err, rc, "--env-file");
        rc = environment_add_file(environment, path, text, environ, err);
        if (rc < 0)
            return error_wrap(err, rc, "--env-file");
    }
    for (size_t i = 0; i < options->env.count; i++) {
        int rc = environment_add_option(environment, options->env.items[i], environ, err);

        if (rc < 0)
            return error_wrap(err, rc, "--env");
    }
    return 0;
}

/* The name of the instance becomes the host name; DNS allows no '_'. */
static void choose_hostname(struct run *run)
{
    const char *given = run->options->hostname;

    snprintf(run->hostname, sizeof(run->hostname), "%s", given ? given : run->instance.name);
    for (char *at = run->hostname; *at && !given; at++) {
        if (*at == '_')
            *at = '-';
    }
}

static int resolve_process(const struct run *run, const struct image *image, char **arguments,
                           size_t argument_count, struct process *process, struct error *err)
{
    const struct run_options *options = run->options;
    AUTO_STRING_LIST struct string_list environment = {0};
    AUTO_STRING_LIST struct string_list list = {0};
    struct process_options process_options = {
        .entrypoint = options->program ? OCI_PROGRAM_PATH : options->entrypoint,
        .working_dir = options->workdir,
        .user = options->user,
        .hostname = run->hostname,
        .terminal = options->terminal,
    };
    int rc = add_environment(options, &environment, err);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < argument_count; i++) {
        if (string_list_add(&list, arguments[i]) < 0)
            return error_set_errno(err, ENOMEM, "%s", arguments[i]);
    }
    process_options.environment = environment;
    process_options.arguments = list;
    return process_resolve(&image->config, image->passwd, image->group, &process_options, process,
                           err);
}

/* The configuration: docker's defaults, then the image and the user, then the sandbox. */
static int make_config(struct run *run, const struct image *image, char **arguments,
                       size_t argument_count, const struct sandbox_instance *instance,
                       struct oci_config *config, struct error *err)
{
    const struct run_options *options = run->options;
    struct oci_options oci_options = {
        .hostname = run->hostname,
        .tmpfs = options->tmpfs,
        .read_only = options->read_only,
        .terminal = options->terminal,
        .program = run->program.data != NULL,
    };
    struct process process;
    int rc = oci_config_init(config, err);

    if (rc < 0)
        return rc;
    (void)terminal_size(STDOUT_FILENO, &oci_options.rows, &oci_options.columns);
    rc = resolve_process(run, image, arguments, argument_count, &process, err);
    if (rc < 0)
        return rc;
    rc = oci_config_apply(config, &image->config, &process, &oci_options, err);
    if (rc < 0)
        return rc;
    return run->sandbox->transform(run->sandbox_state, &run->sandbox_options, instance, config,
                                   err);
}

/* From here on there is an instance. */
static int run_instance(struct run *run, const struct image *image, char **arguments,
                        size_t argument_count, int *status, struct error *err)
{
    const struct sandbox_instance instance = {
        .name = run->instance.name,
        .directory = run->instance.directory,
        .directory_fd = run->instance.directory_fd,
        .lock_fd = run->instance.lock_fd,
        .control_listener = &run->instance.control_listener,
    };
    const struct bundle_contents contents = {
        .program = run->program.data,
        .program_size = run->program.size,
        .resolv_conf = run->sandbox_options.network ? "nameserver " PASST_RESOLVER "\n" : NULL,
        .address = run->sandbox_options.network ? PASST_ADDRESS : NULL,
    };
    AUTO_OCI_CONFIG struct oci_config config = {.rows = 0};
    AUTO_BUNDLE struct bundle bundle = {.count = 0};
    const struct sandbox_request request = {
        .options = &run->sandbox_options,
        .instance = &instance,
        .config = &config,
        .bundle = &bundle,
        .root_fd = image->root_fd, /* stays open if the image is removed meanwhile */
        .timeline = &run->timeline,
        .failure = &run->failure,
    };
    int rc;

    choose_hostname(run);
    rc = make_config(run, image, arguments, argument_count, &instance, &config, err);
    if (rc < 0)
        return rc;
    rc = bundle_create(&config, &contents, &bundle, err);
    if (rc < 0)
        return rc;
    timeline_note(&run->timeline, TIMELINE_ROOT, io_now_ns());
    return run->sandbox->run(run->sandbox_state, &request, status, err);
}

/* Only programs: a script needs its interpreter, which the image may not have. */
static int read_program(const char *path, struct program *program, struct error *err)
{
    int rc = io_read_file(AT_FDCWD, path, PROGRAM_MAX, &program->data, &program->size, err);

    if (rc < 0)
        return error_wrap(err, rc, "--program");
    if (program->size < 4 || memcmp(program->data, "\177ELF", 4) != 0)
        return error_set(err, ENOEXEC, "--program: %s is not an executable (ELF)", path);
    return 0;
}

static int run_image(struct run *run, const char *reference, char **arguments,
                     size_t argument_count, int *status, struct error *err)
{
    AUTO_IMAGE struct image *image = NULL;
    int rc = check_options(run, err);

    if (rc < 0)
        return rc;
    rc = run->sandbox->prepare(&run->sandbox_options, &run->sandbox_state, err);
    if (rc < 0)
        return rc;
    rc = run->options->program ? read_program(run->options->program, &run->program, err) : 0;
    if (rc < 0)
        return rc;
    run->stage = RUN_IMAGE;
    rc = image_argument_open(reference, &image, err);
    if (rc < 0)
        return rc;
    run->stage = RUN_SANDBOX;
    timeline_note(&run->timeline, TIMELINE_IMAGE, io_now_ns());
    vm_options_block_signals(NULL);
    rc = instance_create(run->options->name, &run->instance, err);
    if (rc < 0)
        return rc;
    rc = run_instance(run, image, arguments, argument_count, status, err);
    instance_destroy(&run->instance);
    timeline_note(&run->timeline, TIMELINE_END, io_now_ns());
    return rc;
}

/* Writes the message of a failure, to standard error and to --report-fd. */
static void report_end(const struct run *run, int report_fd, int status, const struct error *err)
{
    const struct error *why = err->code ? err : &run->failure;
    enum run_stage stage = run->stage;

    if (why->code)
        log_error("%s", why->text);
    if (run->timeline.at_ns[TIMELINE_RUNTIME])
        stage = RUN_STARTED;
    else if (run->failure.code && !err->code)
        stage = RUN_COMMAND;
    report_fd_write(report_fd, stage, status, why->code ? why->text : NULL);
}

int cli_run(int argc, char **argv)
{
    struct run_options options = {0};
    static struct run run; /* of 40 KiB, most of which is not touched */
    struct error err = ERROR_INIT;
    struct error report_err = ERROR_INIT;
    int status = CLI_FAILURE;
    int report_fd;
    int first;

    run.options = &options;
    run.instance = (struct instance)INSTANCE_INIT;
    timeline_note(&run.timeline, TIMELINE_COMMAND, io_now_ns());
    first = options_parse(&run_option_table, argc, argv, &options, &err);
    if (first == 0) {
        run_options_release(&options);
        return 0;
    }
    if (report_fd_take(options.report_fd, &report_fd, first > 0 ? &err : &report_err) < 0)
        first = -EINVAL;
    if (first == argc)
        first = error_set(&err, EINVAL, "run: no IMAGE given; see 'microvm run --help'");
    if (first < 0 || run_image(&run, argv[first], argv + first + 1, (size_t)(argc - first - 1),
                               &status, &err) < 0)
        status = CLI_FAILURE;
    report_end(&run, report_fd, status, &err);
    vm_options_timeline_write(&run.timeline, err.code ? NULL : options.timeline);
    if (run.sandbox_options.explanation && !err.code)
        explain_write(&run.explanation, &run.timeline, stderr);
    if (run.sandbox)
        run.sandbox->release(run.sandbox_state);
    free(run.program.data);
    run_options_release(&options);
    return status;
}
