/* SPDX-License-Identifier: Apache-2.0 */
/* The table of sandboxes, and what can be said of them without starting one; see registry.h. */
#include "vmm/sandbox/registry.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vmm/base/bytes.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/search_path.h"

#define NAMES_SIZE 128

#define SANDBOX_POINTER(name) &sandbox_##name,
const struct sandbox *const sandbox_registry[SANDBOX_COUNT] = {SANDBOXES(SANDBOX_POINTER)};

/* Names of the sandboxes with all of `traits`, joined by `joint`. */
static const char *list_names(unsigned traits, const char *joint, char text[NAMES_SIZE])
{
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < SANDBOX_COUNT && used < NAMES_SIZE; i++) {
        if ((sandbox_registry[i]->traits & traits) == traits)
            used += (size_t)snprintf(text + used, NAMES_SIZE - used, "%s%s", used ? joint : "",
                                     sandbox_registry[i]->name);
    }
    return text;
}

static const struct sandbox *find(const char *name, size_t length)
{
    for (size_t i = 0; i < SANDBOX_COUNT; i++) {
        if (strlen(sandbox_registry[i]->name) == length &&
            memcmp(sandbox_registry[i]->name, name, length) == 0)
            return sandbox_registry[i];
    }
    return NULL;
}

static int unknown(const char *name, size_t length, struct error *err)
{
    char names[NAMES_SIZE];

    return error_set(err, EINVAL, "--isolation: '%.*s' is unknown; use %s", (int)length, name,
                     list_names(0, ", ", names));
}

int sandbox_find(const char *name, const struct sandbox **sandbox, struct error *err)
{
    if (!name) {
        *sandbox = sandbox_registry[0];
        return 0;
    }
    *sandbox = find(name, strlen(name));
    return *sandbox ? 0 : unknown(name, strlen(name), err);
}

/* Those with `traits`, or those without. */
static void add_installed(unsigned traits, bool with, const struct sandbox *sandboxes[],
                          size_t *count)
{
    for (size_t i = 0; i < SANDBOX_COUNT; i++) {
        const struct sandbox *sandbox = sandbox_registry[i];

        if (((sandbox->traits & traits) != 0) == with && sandbox_is_installed(sandbox))
            sandboxes[(*count)++] = sandbox;
    }
}

int sandbox_find_all(const char *list, const struct sandbox *sandboxes[SANDBOX_COUNT],
                     size_t *count, struct error *err)
{
    *count = 0;
    if (!list) {
        add_installed(SANDBOX_BASELINE, true, sandboxes, count);
        add_installed(SANDBOX_BASELINE, false, sandboxes, count);
        return 0;
    }
    for (;;) {
        size_t length = strcspn(list, ",");
        const struct sandbox *sandbox = find(list, length);

        if (!sandbox)
            return unknown(list, length, err);
        for (size_t i = 0; i < *count; i++) {
            if (sandboxes[i] == sandbox)
                return error_set(err, EINVAL, "--isolation: %s is listed twice", sandbox->name);
        }
        sandboxes[(*count)++] = sandbox;
        if (!list[length])
            return 0;
        list += length + 1;
    }
}

bool sandbox_is_installed(const struct sandbox *sandbox)
{
    AUTO_FREE const char *path = NULL;

    if (!sandbox->runtime || sandbox->runtime->bundled)
        return true;
    path = search_path_find(sandbox->runtime->program);
    return path != NULL;
}

const struct sandbox_runtime *sandbox_runtime_find(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;

    for (size_t i = 0; i < SANDBOX_COUNT; i++) {
        const struct sandbox_runtime *runtime = sandbox_registry[i]->runtime;

        if (runtime && strncmp(name, runtime->program, strlen(runtime->program)) == 0)
            return runtime;
    }
    return NULL;
}

int sandbox_check_options(const struct sandbox *sandbox, const struct sandbox_options *options,
                          struct error *err)
{
    const struct {
        bool asked;
        unsigned trait;
        const char *option;
        const char *what;
    } needs[] = {
        {options->runtime, SANDBOX_OCI_RUNTIME, "--runtime", "has no OCI runtime on the host"},
        {options->cgroup_parent, SANDBOX_OCI_RUNTIME, "--cgroup-parent",
         "has no container cgroup on the host"},
        {options->network, SANDBOX_NETWORK, "--network", "has no network yet"},
        {options->earlycon, SANDBOX_EARLY_SERIAL, "--earlycon", "has no serial port"},
        {options->jail.required, SANDBOX_MONITOR, "--jail=required", "has no monitor"},
        {options->explanation && options->explanation->live, SANDBOX_EXIT_STATISTICS,
         "--explain=live", "has no monitor that traces"},
    };
    char names[NAMES_SIZE];

    for (size_t i = 0; i < ARRAY_LENGTH(needs); i++) {
        if (needs[i].asked && !(sandbox->traits & needs[i].trait))
            return error_set(err, EINVAL, "%s: --isolation=%s %s; use --isolation=%s",
                             needs[i].option, sandbox->name, needs[i].what,
                             list_names(needs[i].trait, "|", names));
    }
    if ((sandbox->traits & SANDBOX_NEEDS_ROOT) && geteuid() != 0)
        return error_set(err, EPERM, "--isolation=%s needs root; use sudo, or --isolation=%s",
                         sandbox->name, list_names(SANDBOX_BASELINE, "|", names));
    return 0;
}
