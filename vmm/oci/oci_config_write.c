/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's configuration as config.json. Text is written directly: a tree of JSON values in
 * between was measured slower, at each start of a container.
 */
#include <errno.h>
#include <gen/architecture.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/bytes.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/json.h"
#include "vmm/oci/oci_config.h"
#include "vmm/oci/seccomp.h"

#define CPU_PERIOD_US 100000 /* docker's */

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

static const char *const readonly_paths[] = {
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

static const char *json_bool(bool value)
{
    return value ? "true" : "false";
}

static void write_list(FILE *file, const struct string_list *list)
{
    static const char *const none[] = {NULL};

    json_write_strings(file, list->count > 0 ? (const char *const *)list->items : none);
}

static void write_user(FILE *file, const struct process *process)
{
    fprintf(file, "{\"uid\":%u,\"gid\":%u,\"additionalGids\":[", process->uid, process->gid);
    for (size_t i = 0; i < process->group_count; i++)
        fprintf(file, i == 0 ? "%u" : ",%u", process->groups[i]);
    fputs("]}", file);
}

/* A user who is not root gets no capability, but its set-user-ID programs may, as with docker. */
static void write_capabilities(FILE *file, const struct oci_config *config)
{
    static const char *const sets[] = {"bounding", "effective", "permitted"};
    size_t count = config->process.uid != 0 ? 1 : ARRAY_LENGTH(sets);

    for (size_t i = 0; i < count; i++) {
        fprintf(file, "%s\"%s\":", i == 0 ? "{" : ",", sets[i]);
        write_list(file, &config->capabilities);
    }
    fputs("}", file);
}

static void write_process(FILE *file, const struct oci_config *config)
{
    const struct process *process = &config->process;

    fprintf(file,
            "{\"terminal\":%s,\"noNewPrivileges\":false,\"user\":", json_bool(config->terminal));
    write_user(file, process);
    fputs(",\"args\":", file);
    write_list(file, &process->arguments);
    fputs(",\"env\":", file);
    write_list(file, &process->environment);
    fputs(",\"cwd\":", file);
    json_write_string(file, process->working_dir);
    fputs(",\"capabilities\":", file);
    write_capabilities(file, config);
    if (config->terminal && config->rows)
        fprintf(file, ",\"consoleSize\":{\"height\":%u,\"width\":%u}", config->rows,
                config->columns);
    fputs("}", file);
}

static void write_mounts(FILE *file, const struct oci_mounts *mounts)
{
    for (size_t i = 0; i < mounts->count; i++) {
        const struct oci_mount *mount = &mounts->items[i];

        fputs(i == 0 ? "[{\"destination\":" : ",{\"destination\":", file);
        json_write_string(file, mount->destination);
        fputs(",\"type\":", file);
        json_write_string(file, mount->type);
        fputs(",\"source\":", file);
        json_write_string(file, mount->source);
        fputs(",\"options\":", file);
        write_list(file, &mount->options);
        fputs("}", file);
    }
    fputs("]", file);
}

static void write_resources(FILE *file, const struct oci_resources *resources)
{
    fputs("{\"devices\":[{\"allow\":false,\"access\":\"rwm\"}", file);
    for (size_t i = 0; i < ARRAY_LENGTH(devices); i++)
        fprintf(file,
                ",{\"allow\":true,\"type\":\"c\",\"major\":%d,\"minor\":%d,\"access\":\"rwm\"}",
                devices[i].major, devices[i].minor);
    fputs("]", file);
    if (resources->memory_limit) {
        fprintf(file, ",\"memory\":{\"limit\":%" PRIu64, resources->memory_limit);
        if (resources->memory_swap)
            fprintf(file, ",\"swap\":%" PRIu64, resources->memory_swap);
        fputs("}", file);
    }
    if (resources->millicpus)
        fprintf(file, ",\"cpu\":{\"quota\":%" PRIu64 ",\"period\":%d}",
                (uint64_t)resources->millicpus * CPU_PERIOD_US / 1000, CPU_PERIOD_US);
    if (resources->pids_limit)
        fprintf(file, ",\"pids\":{\"limit\":%" PRIu64 "}", resources->pids_limit);
    fputs("}", file);
}

static void write_namespaces(FILE *file, unsigned namespaces)
{
    static const char *const types[OCI_NAMESPACES] = {
        [OCI_NAMESPACE_MOUNT] = "mount",   [OCI_NAMESPACE_UTS] = "uts",
        [OCI_NAMESPACE_IPC] = "ipc",       [OCI_NAMESPACE_PID] = "pid",
        [OCI_NAMESPACE_CGROUP] = "cgroup", [OCI_NAMESPACE_NETWORK] = "network",
    };
    const char *before = "[";

    for (size_t i = 0; i < OCI_NAMESPACES; i++) {
        if (!(namespaces & 1U << i))
            continue;
        fprintf(file, "%s{\"type\":\"%s\"}", before, types[i]);
        before = ",";
    }
    fputs("]", file);
}

static void write_sysctl(FILE *file, const struct string_list *sysctl)
{
    for (size_t i = 0; i < sysctl->count; i++) {
        const char *setting = sysctl->items[i];
        int length = (int)strcspn(setting, "=");

        fprintf(file, "%s\"%.*s\":", i == 0 ? ",\"sysctl\":{" : ",", length, setting);
        json_write_string(file, setting + length + 1);
    }
    if (sysctl->count > 0)
        fputs("}", file);
}

/* Returns 0 or -ENOMEM. */
static int write_seccomp(FILE *file)
{
    AUTO_JSON json_t *filter = seccomp_make_json();
    AUTO_FREE char *text = json_to_text(filter, JSON_COMPACT);

    if (!text)
        return -ENOMEM;
    fprintf(file, ",\"seccomp\":%s", text);
    return 0;
}

/* Returns 0 or -ENOMEM. */
static int write_linux(FILE *file, const struct oci_config *config)
{
    fputs("{\"resources\":", file);
    write_resources(file, &config->resources);
    fputs(",\"namespaces\":", file);
    write_namespaces(file, config->namespaces);
    fputs(",\"maskedPaths\":", file);
    json_write_strings(file, masked_paths);
    fputs(",\"readonlyPaths\":", file);
    json_write_strings(file, readonly_paths);
    if (config->cgroups_path) {
        fputs(",\"cgroupsPath\":", file);
        json_write_string(file, config->cgroups_path);
    }
    write_sysctl(file, &config->sysctl);
    if (!config->seccomp_compiled && write_seccomp(file) < 0)
        return -ENOMEM;
    fputs("}", file);
    return 0;
}

/* Returns 0 or -ENOMEM. */
static int write_document(FILE *file, const struct oci_config *config)
{
    fprintf(file,
            "{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"" OCI_ROOT_PATH
            "\",\"readonly\":%s},\"hostname\":",
            json_bool(config->readonly_root));
    json_write_string(file, config->hostname);
    fputs(",\"process\":", file);
    write_process(file, config);
    fputs(",\"mounts\":", file);
    write_mounts(file, &config->mounts);
    fputs(",\"linux\":", file);
    if (write_linux(file, config) < 0)
        return -ENOMEM;
    fprintf(file, ",\"annotations\":%s}", config->seccomp_compiled ? seccomp_annotations : "{}");
    return 0;
}

int oci_config_write(const struct oci_config *config, char **text, struct error *err)
{
    AUTO_FREE char *written = NULL;
    size_t size;
    FILE *file = open_memstream(&written, &size);
    bool failed;

    if (!file)
        return error_set_errno(err, ENOMEM, "cannot write the container's configuration");
    failed = write_document(file, config) < 0 || ferror(file);
    if (fclose(file) != 0 || failed || !written)
        return error_set_errno(err, ENOMEM, "cannot write the container's configuration");
    *text = steal_pointer(written);
    return 0;
}
