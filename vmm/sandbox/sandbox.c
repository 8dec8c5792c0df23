/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: the table of isolations, and what they share. */
#include "vmm/sandbox/sandbox.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/bytes.h"
#include "vmm/base/log.h"

static const struct sandbox *const isolations[] = {
    &sandbox_vm,
    &sandbox_container,
    &sandbox_gvisor,
};

int sandbox_find(const char *name, const struct sandbox **isolation, struct error *err)
{
    for (size_t i = 0; i < ARRAY_LENGTH(isolations); i++) {
        if (!name || strcmp(isolations[i]->name, name) == 0) {
            *isolation = isolations[i];
            return 0;
        }
    }
    return error_set(err, EINVAL, "--isolation: '%s' is unknown; use vm, container or gvisor",
                     name);
}

void sandbox_request_release(struct sandbox_request *request)
{
    char **const owned[] = {
        &request->kernel_path,  &request->initramfs_path, &request->init_path,
        &request->runtime_path, &request->bundle_path,    &request->root_mount,
        &request->cgroup_path,
    };

    for (size_t i = 0; i < ARRAY_LENGTH(owned); i++) {
        free(*owned[i]);
        *owned[i] = NULL;
    }
}

void sandbox_say_failure(const struct bundle *bundle, const char *reason)
{
    json_t *config = json_loadb(bundle->files[0].data, bundle->files[0].size, 0, NULL);
    const char *command = json_string_value(
        json_array_get(json_object_get(json_object_get(config, "process"), "args"), 0));

    if (!reason[0])
        reason = "the runtime does not say why it cannot be run";
    if (command && !strstr(reason, command))
        log_error("%s: %s", command, reason);
    else
        log_error("%s", reason);
    json_decref(config);
}
