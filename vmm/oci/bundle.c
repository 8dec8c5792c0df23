/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Write a container's config.json (OCI runtime specification: config.md, config-linux.md)
 * with what docker gives a container by default, and the small files beside it.
 */
#include "vmm/oci/bundle.h"
#include "vmm/base/json.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/bytes.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/utf8.h"
#include "vmm/image/document.h"
#include "vmm/oci/bundle_private.h"

#define CPU_PERIOD_US 100000        /* docker's */
#define PING_GROUPS   2147483648ULL /* all that net.ipv4.ping_group_range takes */

static const char *const capabilities[] = {
    "CAP_CHOWN",      "CAP_DAC_OVERRIDE", "CAP_FSETID",      "CAP_FOWNER",           "CAP_MKNOD",
    "CAP_NET_RAW",    "CAP_SETGID",       "CAP_SETUID",      "CAP_SETFCAP",          "CAP_SETPCAP",
    "CAP_SYS_CHROOT", "CAP_KILL",         "CAP_AUDIT_WRITE", "CAP_NET_BIND_SERVICE", NULL,
};

static const char *const masked_paths[] = {
    "/proc/asound",
    "/proc/acpi",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
    NULL,
};

static const char *const read_only_paths[] = {
    "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", NULL,
};

/* Character devices that a container may open; all others are closed to it. */
static const struct {
    int major;
    int minor;
} devices[] = {
    {1, 3}, /* null */
    {1, 5}, /* zero */
    {1, 8}, /* random */
    {1, 9}, /* urandom */
    {5, 0}, /* tty */
    {5, 1}, /* console */
};

static void write_user(FILE *file, const struct process *process)
{
    fprintf(file, "{\"uid\":%u,\"gid\":%u,\"additionalGids\":[", process->uid, process->gid);
    for (size_t i = 0; i < process->group_count; i++)
        fprintf(file, i == 0 ? "%u" : ",%u", process->groups[i]);
    fputs("]}", file);
}

/* A user who is not root gets no capability, but its set-user-ID programs may, as with docker. */
static void write_capabilities(FILE *file, const struct process *process,
                               const struct bundle_options *options)
{
    static const char *const sets[] = {"bounding", "effective", "permitted"};
    const char *names[ARRAY_LENGTH(capabilities)] = {NULL};
    size_t count = 0;

    for (const char *const *name = capabilities; *name; name++)
        if (!options->no_devices || strcmp(*name, "CAP_MKNOD") != 0)
            names[count++] = *name;
    for (size_t i = 0; i < (process->uid != 0 ? 1 : ARRAY_LENGTH(sets)); i++) {
        fprintf(file, "%s\"%s\":", i == 0 ? "{" : ",", sets[i]);
        json_write_strings(file, names);
    }
    fputs("}", file);
}

static void write_process(FILE *file, const struct process *process,
                          const struct bundle_options *options)
{
    fprintf(file, "{\"terminal\":%s,\"noNewPrivileges\":false,\"user\":",
            options->terminal ? "true" : "false");
    write_user(file, process);
    fputs(",\"args\":", file);
    json_write_strings(file, (const char *const *)process->arguments.items);
    fputs(",\"env\":", file);
    json_write_strings(file, (const char *const *)process->environment.items);
    fputs(",\"cwd\":", file);
    json_write_string(file, process->working_dir);
    fputs(",\"capabilities\":", file);
    write_capabilities(file, process, options);
    if (options->terminal && options->rows)
        fprintf(file, ",\"consoleSize\":{\"height\":%u,\"width\":%u}", options->rows,
                options->columns);
    fputs("}", file);
}

static void write_resources(FILE *file, const struct bundle_options *options)
{
    fputs("{\"devices\":[{\"allow\":false,\"access\":\"rwm\"}", file);
    for (size_t i = 0; i < ARRAY_LENGTH(devices); i++)
        fprintf(file,
                ",{\"allow\":true,\"type\":\"c\",\"major\":%d,\"minor\":%d,\"access\":\"rwm\"}",
                devices[i].major, devices[i].minor);
    fputs("]", file);
    if (options->memory_bytes) {
        fprintf(file, ",\"memory\":{\"limit\":%" PRIu64, options->memory_bytes);
        if (!options->swap_unlimited) /* the sum of memory and swap */
            fprintf(file, ",\"swap\":%" PRIu64, 2 * options->memory_bytes);
        fputs("}", file);
    }
    if (options->millicpus)
        fprintf(file, ",\"cpu\":{\"quota\":%" PRIu64 ",\"period\":%d}",
                (uint64_t)options->millicpus * CPU_PERIOD_US / 1000, CPU_PERIOD_US);
    if (options->pids)
        fprintf(file, ",\"pids\":{\"limit\":%" PRIu64 "}", options->pids);
    fputs("}", file);
}

static void write_namespaces(FILE *file, const struct bundle_options *options)
{
    static const char *const types[] = {"mount", "uts", "ipc", "pid", "cgroup", "network"};
    size_t count = ARRAY_LENGTH(types) - (options->network_namespace ? 0 : 1);

    for (size_t i = 0; i < count; i++)
        fprintf(file, "%s{\"type\":\"%s\"}", i == 0 ? "[" : ",", types[i]);
    fputs("]", file);
}

/* Every user may open ports below 1024 and ICMP sockets. The kernel takes no group that there is
 * not. */
static void write_sysctl(FILE *file, const struct bundle_options *options)
{
    uint64_t groups = options->group_count && options->group_count < PING_GROUPS
                          ? options->group_count
                          : PING_GROUPS;

    fprintf(file,
            ",\"sysctl\":{\"net.ipv4.ip_unprivileged_port_start\":\"0\","
            "\"net.ipv4.ping_group_range\":\"0 %" PRIu64 "\"}",
            groups - 1);
}

/* Returns 0 or -ENOMEM. */
static int write_seccomp(FILE *file)
{
    AUTO_JSON json_t *filter = bundle_make_seccomp();
    AUTO_FREE char *text = json_to_text(filter, JSON_COMPACT);

    if (!text)
        return -ENOMEM;
    fprintf(file, ",\"seccomp\":%s", text);
    return 0;
}

/* Returns 0 or -ENOMEM. */
static int write_linux(FILE *file, const struct bundle_options *options)
{
    fputs("{\"resources\":", file);
    write_resources(file, options);
    fputs(",\"namespaces\":", file);
    write_namespaces(file, options);
    fputs(",\"maskedPaths\":", file);
    json_write_strings(file, masked_paths);
    fputs(",\"readonlyPaths\":", file);
    json_write_strings(file, read_only_paths);
    if (options->cgroup_path) {
        fputs(",\"cgroupsPath\":", file);
        json_write_string(file, options->cgroup_path);
    }
    if (options->network_namespace)
        write_sysctl(file, options);
    if (!options->compiled_seccomp && write_seccomp(file) < 0)
        return -ENOMEM;
    fputs("}", file);
    return 0;
}

static int check_environment(const struct string_list *environment, struct error *err)
{
    char what[128];
    int rc = 0;

    for (size_t i = 0; i < environment->count && rc == 0; i++) {
        const char *setting = environment->items[i];

        snprintf(what, sizeof(what), "environment variable %.*s", (int)strcspn(setting, "="),
                 setting);
        rc = utf8_check(setting, what, err);
    }
    return rc;
}

/*
 * Whatever comes from outside, by name. A configuration is JSON, and the runtime refuses one with
 * other bytes than UTF-8's. (docker puts U+FFFD in their place: the command then gets a text that
 * nobody wrote.)
 */
static int check_texts(const struct process *process, const struct bundle_options *options,
                       struct error *err)
{
    const struct string_list *arguments = &process->arguments;
    char what[64];
    int rc = check_environment(&process->environment, err);

    for (size_t i = 0; i < arguments->count && rc == 0; i++) {
        snprintf(what, sizeof(what), "argument %zu of the command", i);
        rc = utf8_check(arguments->items[i], i == 0 ? "command" : what, err);
    }
    for (size_t i = 0; i < options->tmpfs.count && rc == 0; i++)
        rc = utf8_check(options->tmpfs.items[i], "--tmpfs", err);
    if (rc == 0)
        rc = utf8_check(process->working_dir, "working directory", err);
    if (rc == 0)
        rc = utf8_check(options->bundle_path, "runtime directory", err);
    return rc == 0 ? utf8_check(options->cgroup_path, "--cgroup-parent", err) : rc;
}

/* Returns 0 or -ENOMEM. */
static int write_config(FILE *file, const struct process *process,
                        const struct bundle_options *options, const struct bundle_mounts *mounts)
{
    fputs("{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":", file);
    json_write_string(file, options->root_path);
    fprintf(file, ",\"readonly\":%s},\"hostname\":", options->read_only ? "true" : "false");
    json_write_string(file, options->hostname);
    fputs(",\"process\":", file);
    write_process(file, process, options);
    fputs(",\"mounts\":", file);
    bundle_write_mounts(file, mounts, options);
    fputs(",\"linux\":", file);
    if (write_linux(file, options) < 0)
        return -ENOMEM;
    fprintf(file, ",\"annotations\":%s}", bundle_annotations(options));
    return 0;
}

static int make_config(const struct image_config *config, const struct process *process,
                       const struct bundle_options *options, char **text, char **targets,
                       size_t *targets_size, struct error *err)
{
    AUTO_MOUNTS struct bundle_mounts mounts = {0};
    int rc = bundle_make_mounts(config, options, &mounts, err);
    size_t size;
    FILE *file;

    if (rc < 0)
        return rc;
    if (bundle_make_targets(&mounts, targets, targets_size) < 0)
        return error_set_errno(err, ENOMEM, "bundle");
    file = open_memstream(text, &size);
    if (file) {
        rc = write_config(file, process, options, &mounts);
        if (ferror(file))
            rc = -ENOMEM;
        if (fclose(file) != 0)
            rc = -ENOMEM;
    }
    return !file || rc < 0
               ? error_set_errno(err, ENOMEM, "cannot write the container's configuration")
               : 0;
}

static int make_hosts(const struct bundle_options *options, char **text)
{
    return asprintf(text,
                    "127.0.0.1\tlocalhost\n"
                    "::1\tlocalhost ip6-localhost ip6-loopback\n"
                    "fe00::0\tip6-localnet\n"
                    "ff00::0\tip6-mcastprefix\n"
                    "ff02::1\tip6-allnodes\n"
                    "ff02::2\tip6-allrouters\n"
                    "127.0.1.1\t%s\n%s",
                    options->hostname, options->hosts ? options->hosts : "");
}

/* Takes over `data`. */
static void add_file(struct bundle *bundle, const char *name, mode_t mode, char *data, size_t size)
{
    bundle->files[bundle->count++] = (struct bundle_file){name, mode, data, size};
}

static void add_text(struct bundle *bundle, const char *name, char *text)
{
    add_file(bundle, name, 0644, text, strlen(text));
}

int bundle_create(const struct image_config *config, const struct process *process,
                  const struct bundle_options *options, struct bundle *bundle, struct error *err)
{
    AUTO_FREE char *text = NULL;
    AUTO_FREE char *hosts = NULL;
    AUTO_FREE char *hostname = NULL;
    AUTO_FREE char *resolv_conf = strdup(options->resolv_conf ? options->resolv_conf : "");
    AUTO_FREE char *program = options->program ? malloc(options->program_size) : NULL;
    AUTO_FREE char *targets = NULL;
    size_t targets_size = 0;
    int rc = check_texts(process, options, err);

    if (rc == 0)
        rc = make_config(config, process, options, &text, &targets, &targets_size, err);
    if (rc < 0)
        return rc;
    if (!text || (options->program && !program) || !resolv_conf ||
        make_hosts(options, &hosts) < 0 || asprintf(&hostname, "%s\n", options->hostname) < 0)
        return error_set_errno(err, ENOMEM, "bundle");
    *bundle = (struct bundle){0};
    add_text(bundle, "config.json", steal_pointer(text));
    add_text(bundle, "hosts", steal_pointer(hosts));
    add_text(bundle, "hostname", steal_pointer(hostname));
    add_text(bundle, "resolv.conf", steal_pointer(resolv_conf));
    add_file(bundle, "targets", 0644, steal_pointer(targets), targets_size);
    if (program) {
        memcpy(program, options->program, options->program_size);
        add_file(bundle, "program", 0755, steal_pointer(program), options->program_size);
    }
    return 0;
}

void bundle_release(struct bundle *bundle)
{
    for (size_t i = 0; i < bundle->count; i++)
        free(bundle->files[i].data);
    *bundle = (struct bundle){0};
}
