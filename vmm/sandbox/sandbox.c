/* SPDX-License-Identifier: Apache-2.0 */
/* What the sandboxes share. */
#include "vmm/sandbox/sandbox.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/bytes.h"
#include "vmm/base/json.h"

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

void sandbox_note_failure(const struct sandbox_request *request, const char *reason)
{
    const struct bundle *bundle = request->bundle;
    AUTO_JSON json_t *config = json_loadb(bundle->files[0].data, bundle->files[0].size, 0, NULL);
    const char *command = json_string_value(
        json_array_get(json_object_get(json_object_get(config, "process"), "args"), 0));

    if (!reason[0])
        reason = "the runtime does not say why it cannot be run";
    if (command && !strstr(reason, command))
        error_set(request->failure, ENOEXEC, "%s: %s", command, reason);
    else
        error_set(request->failure, ENOEXEC, "%s", reason);
}
