/* SPDX-License-Identifier: Apache-2.0 */
/* What the sandboxes share. */
#include "vmm/sandbox/sandbox.h"

#include <errno.h>
#include <string.h>

void sandbox_note_failure(const struct sandbox_request *request, const char *reason)
{
    const char *command = request->config->process.arguments.items[0];

    if (!reason[0])
        reason = "the runtime does not say why it cannot be run";
    if (strstr(reason, command))
        error_set(request->failure, ENOEXEC, "%s", reason);
    else
        error_set(request->failure, ENOEXEC, "%s: %s", command, reason);
}
