/* SPDX-License-Identifier: Apache-2.0 */
/* How a run ended, as one line of JSON; see run_record.h. */
#include "vmm/trial/run_record.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/io.h"
#include "vmm/base/json.h"
#include "vmm/base/text.h"

#define STATUS_MAX 255

static const char *const stage_names[RUN_STAGES] = {
    [RUN_OPTIONS] = "options", [RUN_IMAGE] = "image",     [RUN_SANDBOX] = "sandbox",
    [RUN_COMMAND] = "command", [RUN_STARTED] = "started",
};

int run_record_write(int fd, const struct run_record *record)
{
    char reason[RUN_RECORD_REASON_SIZE];
    AUTO_FREE char *text = NULL;
    AUTO_FREE char *line = NULL;
    AUTO_JSON json_t *object = NULL;

    text_copy(reason, sizeof(reason), record->reason);
    object = json_pack("{s:s, s:i, s:o}", "stage", stage_names[record->stage], "status",
                       record->status, "reason", reason[0] ? json_string(reason) : json_null());
    text = json_to_text(object, JSON_COMPACT);
    if (!text || asprintf(&line, "%s\n", text) < 0)
        return -ENOMEM;
    return io_write_all(fd, line, strlen(line));
}

bool run_record_parse(const char *text, size_t size, struct run_record *record)
{
    AUTO_JSON json_t *object = NULL;
    const char *stage;
    const char *reason;
    json_int_t status;
    bool found = false;

    if (json_parse(text, size, &object, NULL) < 0)
        return false;
    stage = json_string_value(json_object_get(object, "stage"));
    status = json_integer_value(json_object_get(object, "status"));
    reason = json_string_value(json_object_get(object, "reason"));
    *record = (struct run_record){.status = (int)status};
    text_copy(record->reason, sizeof(record->reason), reason ? reason : "");
    for (unsigned i = 0; i < RUN_STAGES && stage && !found; i++) {
        found = strcmp(stage, stage_names[i]) == 0;
        record->stage = (enum run_stage)i;
    }
    return found && status >= 0 && status <= STATUS_MAX;
}
