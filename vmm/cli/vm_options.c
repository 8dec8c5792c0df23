/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands that start a VM share; see vm_options.h. */
#include "vmm/cli/vm_options.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/bytes.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/log.h"
#include "vmm/base/parse.h"
#include "vmm/machine/host_check.h"
#include "vmm/machine/spec.h"

#define MIB              (1ULL << 20)
#define MEMORY_SHARE_MAX 2 /* of the host's memory and swap, for one VM */

int vm_options_memory(uint64_t asked, bool linux_guest, uint64_t *bytes, struct error *err)
{
    uint64_t least = linux_guest ? align_up(host_memory_minimum(), MIB) : MIB;
    uint64_t wanted = asked > 0 ? asked : VM_OPTIONS_MEMORY_DEFAULT;

    if (wanted < least)
        return error_set(err, ERANGE,
                         "--memory: %llu MiB is too little to boot; give at least %llum",
                         (unsigned long long)(wanted / MIB), (unsigned long long)(least / MIB));
    /* The host allocates memory when the guest touches it, so a guest may have more than the host.
     * But its kernel touches a part of all of it. */
    if (wanted / MEMORY_SHARE_MAX > host_memory_total())
        return error_set(err, ERANGE,
                         "--memory: %llu MiB is more than twice the %llu MiB of memory and swap of "
                         "this host",
                         (unsigned long long)(wanted / MIB),
                         (unsigned long long)(host_memory_total() / MIB));
    *bytes = align_up(wanted, MIB);
    return 0;
}

int vm_options_cpus(const char *text, unsigned *vcpus, uint32_t *millicpus, struct error *err)
{
    uint32_t asked = 1000;
    int rc = text ? parse_millicpus(text, "--cpus", &asked, err) : 0;

    if (rc < 0)
        return rc;
    if (asked > MACHINE_VCPUS_MAX * 1000U)
        return error_set(err, ERANGE, "--cpus: %s is more than %d, the most that a VM can have",
                         text, MACHINE_VCPUS_MAX);
    *vcpus = (asked + 999) / 1000;
    *millicpus = text ? asked : 0;
    return 0;
}

int vm_options_jail(const char *mode, const char *uid, struct monitor_jail *jail, struct error *err)
{
    uint64_t first = 0;

    if (mode && strcmp(mode, "auto") != 0 && strcmp(mode, "required") != 0)
        return error_set(err, EINVAL, "--jail: '%s' is unknown; use auto or required", mode);
    if (uid) {
        int rc = parse_u64(uid, "--jail-uid", 1, UINT32_MAX - MONITOR_JAIL_USERS - 1, &first, err);

        if (rc < 0)
            return rc;
    }
    jail->required = mode && strcmp(mode, "required") == 0;
    jail->first_user = (uint32_t)first;
    return 0;
}

int vm_options_timeline_check(const char *value, struct error *err)
{
    if (!value || !*value || strcmp(value, "json") == 0 ||
        (strncmp(value, "json:", 5) == 0 && value[5]))
        return 0;
    return error_set(err, EINVAL, "--timeline: '%s' is unknown; use json or json:FILE", value);
}

bool vm_options_is_utf8(void)
{
    static const char *const variables[] = {"LC_ALL", "LC_CTYPE", "LANG"};

    for (size_t i = 0; i < ARRAY_LENGTH(variables); i++) {
        const char *value = getenv(variables[i]);

        if (value && *value)
            return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
    }
    return false;
}

void vm_options_timeline_write(const struct timeline *timeline, const char *value)
{
    AUTO_FCLOSE FILE *file = NULL;
    struct error err = ERROR_INIT;
    const char *path;

    if (!value)
        return;
    if (!*value) {
        timeline_write_chart(timeline, vm_options_is_utf8(), stderr);
        return;
    }
    path = strchr(value, ':');
    file = path ? fopen(path + 1, "we") : NULL;
    if (path && !file) {
        log_error("--timeline: %s: %s", path + 1, strerror(errno));
        return;
    }
    if (timeline_write_json(timeline, file ? file : stderr, &err) < 0)
        log_error("--timeline: %s", err.text);
    if (file && fflush(file) != 0)
        log_error("--timeline: %s: %s", path + 1, strerror(errno));
}

void vm_options_block_signals(sigset_t *blocked)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH};
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_LENGTH(signals); i++)
        sigaddset(&set, signals[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    if (blocked)
        *blocked = set;
}
