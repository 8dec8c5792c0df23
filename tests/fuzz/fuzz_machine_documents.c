/* SPDX-License-Identifier: Apache-2.0 */
/* What client and monitor read of each other: events, commands, the description of a VM. */
#include <stdlib.h>
#include <string.h>

#include "vmm/machine/spec.h"
#include "vmm/monitor/control_protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct control_event *event = malloc(sizeof(*event));
    struct control_command command;
    struct machine_spec spec;
    struct error err = ERROR_INIT;
    char *text = malloc(size + 1);
    char *json = NULL;

    if (!event || !text)
        abort();
    memcpy(text, data, size);
    text[size] = '\0';
    /* What is accepted, and known, can be written again. */
    if (control_event_decode(text, size, event, &err) == 0 &&
        event->type != CONTROL_EVENT_UNKNOWN && control_event_encode(event, &json, &err) < 0)
        abort();
    free(json);
    json = NULL;
    if (control_command_decode(text, size, &command, &err) == 0 &&
        command.type != CONTROL_COMMAND_UNKNOWN &&
        control_command_encode(&command, &json, &err) < 0)
        abort();
    free(json);
    json = NULL;
    if (machine_spec_from_json(text, &spec, &err) == 0) {
        if (machine_spec_to_json(&spec, &json, &err) < 0)
            abort();
        free(json);
        machine_spec_clear(&spec);
    }
    free(text);
    free(event);
    return 0;
}
