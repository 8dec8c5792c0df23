/* SPDX-License-Identifier: Apache-2.0 */
/* A container's configuration: docker's defaults, and how it is transformed. */
#include "vmm/oci/oci_config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/bytes.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/utf8.h"

#define PING_GROUPS 2147483648ULL /* all that net.ipv4.ping_group_range takes */

static const char *const default_capabilities[] = {
    "CAP_CHOWN",      "CAP_DAC_OVERRIDE", "CAP_FSETID",      "CAP_FOWNER",           "CAP_MKNOD",
    "CAP_NET_RAW",    "CAP_SETGID",       "CAP_SETUID",      "CAP_SETFCAP",          "CAP_SETPCAP",
    "CAP_SYS_CHROOT", "CAP_KILL",         "CAP_AUDIT_WRITE", "CAP_NET_BIND_SERVICE",
};

static int out_of_memory(struct error *err)
{
    return error_set_errno(err, ENOMEM, "cannot create the container's configuration");
}

int oci_config_init(struct oci_config *config, struct error *err)
{
    *config = (struct oci_config){.namespaces = (1U << OCI_NAMESPACES) - 1};
    for (size_t i = 0; i < ARRAY_LENGTH(default_capabilities); i++)
        if (string_list_add(&config->capabilities, default_capabilities[i]) < 0)
            return out_of_memory(err);
    return oci_mounts_add_defaults(&config->mounts) < 0 ? out_of_memory(err) : 0;
}

void oci_config_release(struct oci_config *config)
{
    process_release(&config->process);
    string_list_release(&config->capabilities);
    string_list_release(&config->sysctl);
    oci_mounts_release(&config->mounts);
    free(config->hostname);
    free(config->cgroups_path);
    *config = (struct oci_config){0};
}

static int check_environment(const struct string_list *environment, struct error *err)
{
    char what[128];

    for (size_t i = 0; i < environment->count; i++) {
        const char *setting = environment->items[i];
        int rc;

        snprintf(what, sizeof(what), "environment variable %.*s", (int)strcspn(setting, "="),
                 setting);
        rc = utf8_check(setting, what, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/*
 * Whatever comes from outside, by name. A configuration is JSON, and the runtime refuses one with
 * other bytes than UTF-8's. (docker replaces them by U+FFFD: the command then gets a text that
 * nobody wrote.)
 */
static int check_process(const struct process *process, struct error *err)
{
    const struct string_list *arguments = &process->arguments;
    char what[64];
    int rc = check_environment(&process->environment, err);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < arguments->count; i++) {
        snprintf(what, sizeof(what), "argument %zu of the command", i);
        rc = utf8_check(arguments->items[i], i == 0 ? "command" : what, err);
        if (rc < 0)
            return rc;
    }
    return utf8_check(process->working_dir, "working directory", err);
}

int oci_config_apply(struct oci_config *config, const struct image_config *image,
                     struct process *process, const struct oci_options *options, struct error *err)
{
    int rc;

    config->process = *process;
    *process = (struct process){0};
    rc = check_process(&config->process, err);
    if (rc < 0)
        return rc;
    config->terminal = options->terminal;
    config->rows = options->rows;
    config->columns = options->columns;
    config->readonly_root = options->read_only;
    config->hostname = strdup(options->hostname);
    if (!config->hostname)
        return out_of_memory(err);
    if (oci_mounts_add_files(&config->mounts, options->read_only) < 0 ||
        (options->program && oci_mounts_add_program(&config->mounts) < 0))
        return out_of_memory(err);
    for (size_t i = 0; i < options->tmpfs.count; i++) {
        rc = oci_mounts_add_tmpfs(&config->mounts, options->tmpfs.items[i], err);
        if (rc < 0)
            return rc;
    }
    if (options->read_only && oci_mounts_add_volumes(&config->mounts, &image->volumes) < 0)
        return out_of_memory(err);
    return 0;
}

int oci_config_set_bundle(struct oci_config *config, const char *directory, struct error *err)
{
    int rc = utf8_check(directory, "runtime directory", err);

    if (rc < 0)
        return rc;
    return oci_mounts_set_bundle(&config->mounts, directory) < 0 ? out_of_memory(err) : 0;
}

int oci_config_set_cgroup(struct oci_config *config, const char *path, struct error *err)
{
    int rc = utf8_check(path, "--cgroup-parent", err);

    if (rc < 0)
        return rc;
    free(config->cgroups_path);
    config->cgroups_path = strdup(path);
    return config->cgroups_path ? 0 : out_of_memory(err);
}

/* Every user may open ports below 1024 and ICMP sockets. The kernel refuses a range with groups
 * that do not exist. */
int oci_config_set_network(struct oci_config *config, bool own, uint64_t group_count,
                           struct error *err)
{
    const unsigned bit = 1U << OCI_NAMESPACE_NETWORK;
    uint64_t groups = group_count && group_count < PING_GROUPS ? group_count : PING_GROUPS;

    config->namespaces = own ? config->namespaces | bit : config->namespaces & ~bit;
    if (!own)
        return 0;
    if (string_list_add(&config->sysctl, "net.ipv4.ip_unprivileged_port_start=0") < 0 ||
        string_list_add_format(&config->sysctl, "net.ipv4.ping_group_range=0 %" PRIu64,
                               groups - 1) < 0)
        return out_of_memory(err);
    return 0;
}

void oci_config_limit_groups(struct oci_config *config, uint64_t group_count)
{
    if (group_count == 1)
        oci_mounts_drop_groups(&config->mounts);
}

void oci_config_forbid_devices(struct oci_config *config)
{
    string_list_remove_prefix(&config->capabilities, "CAP_MKNOD");
}
