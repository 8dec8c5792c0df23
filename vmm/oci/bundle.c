/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: write a container's config.json (OCI runtime specification: config.md, config-linux.md)
 * with what docker gives a container by default, and the small files beside it.
 */
#include "vmm/oci/bundle.h"
#include "vmm/base/json.h"

#include <errno.h>
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

static json_t *list_to_json(const struct string_list *list)
{
    static const char *const none[] = {NULL};

    return json_from_strings(list->count ? (const char *const *)list->items : none);
}

static json_t *make_user(const struct process *process)
{
    json_t *groups = json_array();

    for (size_t i = 0; i < process->group_count; i++)
        json_array_append_new(groups, json_integer(process->groups[i]));
    return json_pack("{s:I, s:I, s:o}", "uid", (json_int_t)process->uid, "gid",
                     (json_int_t)process->gid, "additionalGids", groups);
}

/* A user who is not root gets no capability, but its set-user-ID programs may, as with docker. */
static json_t *make_capabilities(const struct process *process,
                                 const struct bundle_options *options)
{
    json_t *names = json_array();
    json_t *set;

    for (const char *const *name = capabilities; *name; name++)
        if (!options->no_devices || strcmp(*name, "CAP_MKNOD") != 0)
            json_array_append_new(names, json_string(*name));
    set = process->uid != 0 ? json_pack("{s:O}", "bounding", names)
                            : json_pack("{s:O, s:O, s:O}", "bounding", names, "effective", names,
                                        "permitted", names);
    json_decref(names);
    return set;
}

static json_t *make_process(const struct process *process, const struct bundle_options *options)
{
    json_t *size = options->terminal && options->rows
                       ? json_pack("{s:i, s:i}", "height", options->rows, "width", options->columns)
                       : NULL;

    return json_pack("{s:b, s:o, s:o, s:o, s:s, s:o, s:b, s:o*}", "terminal", options->terminal,
                     "user", make_user(process), "args", list_to_json(&process->arguments), "env",
                     list_to_json(&process->environment), "cwd", process->working_dir,
                     "capabilities", make_capabilities(process, options), "noNewPrivileges", false,
                     "consoleSize", size);
}

static json_t *make_device_rules(void)
{
    json_t *rules = json_array();

    json_array_append_new(rules, json_pack("{s:b, s:s}", "allow", false, "access", "rwm"));
    for (size_t i = 0; i < ARRAY_LENGTH(devices); i++)
        json_array_append_new(rules, json_pack("{s:b, s:s, s:i, s:i, s:s}", "allow", true, "type",
                                               "c", "major", devices[i].major, "minor",
                                               devices[i].minor, "access", "rwm"));
    return rules;
}

static json_t *make_resources(const struct bundle_options *options)
{
    json_t *resources = json_pack("{s:o}", "devices", make_device_rules());

    if (options->memory_bytes) {
        json_int_t limit = (json_int_t)options->memory_bytes;
        json_t *memory = json_pack("{s:I}", "limit", limit);

        if (!options->swap_unlimited) /* the sum of memory and swap */
            json_object_set_new(memory, "swap", json_integer(2 * limit));
        json_object_set_new(resources, "memory", memory);
    }
    if (options->cpu_thousandths)
        json_object_set_new(resources, "cpu",
                            json_pack("{s:I, s:i}", "quota",
                                      (json_int_t)options->cpu_thousandths * CPU_PERIOD_US / 1000,
                                      "period", CPU_PERIOD_US));
    if (options->pids)
        json_object_set_new(resources, "pids",
                            json_pack("{s:I}", "limit", (json_int_t)options->pids));
    return resources;
}

static json_t *make_namespaces(const struct bundle_options *options)
{
    static const char *const types[] = {"mount", "uts", "ipc", "pid", "cgroup", "network"};
    json_t *namespaces = json_array();
    size_t count = ARRAY_LENGTH(types) - (options->network_namespace ? 0 : 1);

    for (size_t i = 0; i < count; i++)
        json_array_append_new(namespaces, json_pack("{s:s}", "type", types[i]));
    return namespaces;
}

/* Every user may open ports below 1024 and ICMP sockets. The kernel takes no group that there is
 * not. */
static json_t *make_sysctl(const struct bundle_options *options)
{
    uint64_t groups = options->group_count && options->group_count < PING_GROUPS
                          ? options->group_count
                          : PING_GROUPS;

    return json_pack("{s:s, s:o}", "net.ipv4.ip_unprivileged_port_start", "0",
                     "net.ipv4.ping_group_range",
                     json_sprintf("0 %llu", (unsigned long long)groups - 1));
}

static json_t *make_linux(const struct bundle_options *options)
{
    json_t *linux_part =
        json_pack("{s:o, s:o, s:o, s:o}", "resources", make_resources(options), "namespaces",
                  make_namespaces(options), "maskedPaths", json_from_strings(masked_paths),
                  "readonlyPaths", json_from_strings(read_only_paths));

    if (!options->compiled_seccomp)
        json_object_set_new(linux_part, "seccomp", bundle_make_seccomp());
    if (options->cgroup_path)
        json_object_set_new(linux_part, "cgroupsPath", json_string(options->cgroup_path));
    if (options->network_namespace)
        json_object_set_new(linux_part, "sysctl", make_sysctl(options));
    return linux_part;
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

static int make_config(const struct image_config *config, const struct process *process,
                       const struct bundle_options *options, char **text, char **targets,
                       size_t *targets_size, struct error *err)
{
    AUTO_JSON json_t *root = NULL;
    AUTO_FREE char *object = NULL;
    json_t *mounts;
    int rc = bundle_make_mounts(config, options, &mounts, err);

    if (rc < 0)
        return rc;
    if (bundle_make_targets(mounts, targets, targets_size) < 0) {
        json_decref(mounts);
        return error_set_errno(err, ENOMEM, "bundle");
    }
    /* json_pack() takes over and checks each part: a failed allocation anywhere yields null. */
    root = json_pack("{s:s, s:o, s:{s:s, s:b}, s:s, s:o, s:o}", "ociVersion", "1.0.2", "process",
                     make_process(process, options), "root", "path", options->root_path, "readonly",
                     options->read_only, "hostname", options->hostname, "mounts", mounts, "linux",
                     make_linux(options));
    object = root ? json_dumps(root, JSON_COMPACT) : NULL;
    if (!object)
        return error_set_errno(err, ENOMEM, "cannot write the container's configuration");
    /* One more member before the closing brace. */
    if (asprintf(text, "%.*s,\"annotations\":%s}", (int)strlen(object) - 1, object,
                 bundle_annotations(options)) < 0) {
        *text = NULL;
        return error_set_errno(err, ENOMEM, "cannot write the container's configuration");
    }
    return 0;
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
