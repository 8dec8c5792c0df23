/* SPDX-License-Identifier: Apache-2.0 */
/* Encode, decode, send and receive the messages of control.sock; see control_protocol.h. */
#include "vmm/monitor/control_protocol.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "vmm/base/bytes.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/json.h"
#include "vmm/base/text.h"

static const char *const event_names[] = {
    [CONTROL_EVENT_STAGE] = "stage", [CONTROL_EVENT_RUNNING] = "running",
    [CONTROL_EVENT_MARK] = "mark",   [CONTROL_EVENT_COUNTS] = "counts",
    [CONTROL_EVENT_END] = "end",
};
_Static_assert(ARRAY_LENGTH(event_names) == CONTROL_EVENT_UNKNOWN,
               "an event without a name is the unknown one");
static const char *const stage_names[] = {
    [MACHINE_STAGE_MEMORY] = "memory", [MACHINE_STAGE_KVM] = "kvm",
    [MACHINE_STAGE_KERNEL] = "kernel", [MACHINE_STAGE_DEVICES] = "devices",
    [MACHINE_STAGE_TREE] = "tree",
};
static const char *const reason_names[] = {
    [MACHINE_EXIT] = "exit",   [MACHINE_POWER_OFF] = "power-off", [MACHINE_RESET] = "reset",
    [MACHINE_PANIC] = "panic", [MACHINE_STOPPED] = "stopped",     [MACHINE_ERROR] = "error",
};
static const char *const counts_at_names[] = {
    [CONTROL_COUNTS_INIT] = "init",
    [CONTROL_COUNTS_END] = "end",
};
static const char *const command_names[] = {
    [CONTROL_COMMAND_STOP] = "stop",
    [CONTROL_COMMAND_WINDOW] = "window",
};
_Static_assert(ARRAY_LENGTH(command_names) == CONTROL_COMMAND_UNKNOWN,
               "a command without a name is the unknown one");

void control_event_add_count(struct control_event *event, const char *name, uint64_t value)
{
    struct control_count *count = &event->counts[event->count_count];

    if (event->count_count == CONTROL_COUNTS_MAX)
        return;
    snprintf(count->name, sizeof(count->name), "%s", name);
    count->value = value;
    event->count_count++;
}

/* Index of `text` in `names`, or `count` for an unknown one. */
static size_t name_index(const char *const *names, size_t count, const char *text)
{
    size_t i = 0;

    while (i < count && strcmp(names[i], text) != 0)
        i++;
    return i;
}

static json_t *lines_to_json(const char *lines)
{
    char clean[CONTROL_CONSOLE_MAX + 1];

    memcpy(clean, lines, strlen(lines) + 1);
    text_clean_lines(clean, strlen(clean));
    return json_string(clean);
}

static json_t *counts_to_json(const struct control_event *event)
{
    json_t *values = json_object();

    for (unsigned i = 0; i < event->count_count; i++)
        json_put(&values, event->counts[i].name, json_integer((json_int_t)event->counts[i].value));
    return values;
}

/* A new reference, or NULL when memory is short: json_pack() checks the values of `o`. */
static json_t *event_to_json(const struct control_event *event)
{
    json_int_t time_ns = (json_int_t)event->time_ns;

    switch (event->type) {
    case CONTROL_EVENT_STAGE:
        return json_pack("{s:s, s:I}", "stage", stage_names[event->stage], "time_ns", time_ns);
    case CONTROL_EVENT_RUNNING:
        return json_pack("{s:I}", "time_ns", time_ns);
    case CONTROL_EVENT_MARK:
        return json_pack("{s:I, s:I}", "mark", (json_int_t)event->mark, "time_ns", time_ns);
    case CONTROL_EVENT_COUNTS:
        return json_pack("{s:s, s:o}", "at", counts_at_names[event->at], "values",
                         counts_to_json(event));
    case CONTROL_EVENT_END:
        return json_pack("{s:s, s:i, s:o, s:o, s:I}", "reason", reason_names[event->reason],
                         "status", (int)event->status, "text", json_from_text(event->text),
                         "console", lines_to_json(event->console), "time_ns", time_ns);
    case CONTROL_EVENT_UNKNOWN:
        break;
    }
    return NULL;
}

/* Completes a message; its kind is the member `key`. Takes ownership of `root`; null when memory is
 * short. */
static int dump(json_t *root, const char *key, const char *name, char **json, struct error *err)
{
    AUTO_JSON json_t *message = root;

    json_put(&message, "version", json_integer(CONTROL_VERSION));
    json_put(&message, key, json_string(name));
    *json = json_to_text(message, JSON_COMPACT);
    return *json ? 0 : error_set(err, ENOMEM, "cannot write a control message");
}

int control_event_encode(const struct control_event *event, char **json, struct error *err)
{
    *json = NULL;
    if (event->type == CONTROL_EVENT_UNKNOWN)
        return error_set(err, EINVAL, "cannot write a control message of an unknown event");
    return dump(event_to_json(event), "event", event_names[event->type], json, err);
}

int control_command_encode(const struct control_command *command, char **json, struct error *err)
{
    json_t *root = json_object();

    *json = NULL;
    if (command->type == CONTROL_COMMAND_UNKNOWN) {
        json_decref(root);
        return error_set(err, EINVAL, "cannot write a control message of an unknown command");
    }
    if (command->type == CONTROL_COMMAND_WINDOW) {
        json_put(&root, "rows", json_integer(command->rows));
        json_put(&root, "columns", json_integer(command->columns));
    }
    return dump(root, "command", command_names[command->type], json, err);
}

static int bad_message(struct error *err, const char *why)
{
    char text[JSON_ERROR_TEXT_LENGTH];

    text_copy(text, sizeof(text), why); /* it may quote a key */
    return error_set(err, EINVAL, "control message: %s", text);
}

/* Parses a message, and checks its version. `kind` is "event" or "command"; *name, which belongs to
 * the object, is the value of that key. */
static int load(const char *json, size_t size, const char *kind, json_t **root, const char **name,
                struct error *err)
{
    AUTO_JSON json_t *value = NULL;
    json_error_t why;
    json_int_t version;
    int rc = json_parse(json, size, &value, err);

    *name = "";
    if (rc < 0)
        return error_wrap(err, rc, "control message");
    if (json_unpack_ex(value, &why, 0, "{s:I}", "version", &version) < 0)
        return bad_message(err, why.text);
    if (version != CONTROL_VERSION)
        return error_set(err, EINVAL,
                         "control message of version %" JSON_INTEGER_FORMAT
                         ", but this microvm speaks version %d",
                         version, CONTROL_VERSION);
    if (json_unpack_ex(value, &why, 0, "{s:s}", kind, name) < 0)
        return bad_message(err, why.text);
    *root = steal_pointer(value);
    return 0;
}

/* A number of nanoseconds; times are never negative. */
static int take_time(json_int_t time_ns, struct control_event *event, struct error *err)
{
    if (time_ns < 0)
        return bad_message(err, "negative time");
    event->time_ns = (uint64_t)time_ns;
    return 0;
}

static int decode_stage(json_t *root, struct control_event *event, struct error *err)
{
    json_error_t why;
    const char *stage;
    json_int_t time_ns;
    size_t index;

    if (json_unpack_ex(root, &why, 0, "{s:s, s:I}", "stage", &stage, "time_ns", &time_ns) < 0)
        return bad_message(err, why.text);
    index = name_index(stage_names, ARRAY_LENGTH(stage_names), stage);
    if (index == ARRAY_LENGTH(stage_names))
        event->type = CONTROL_EVENT_UNKNOWN;
    else
        event->stage = (enum machine_stage)index;
    return take_time(time_ns, event, err);
}

static int decode_running(json_t *root, struct control_event *event, struct error *err)
{
    json_error_t why;
    json_int_t time_ns;

    if (json_unpack_ex(root, &why, 0, "{s:I}", "time_ns", &time_ns) < 0)
        return bad_message(err, why.text);
    return take_time(time_ns, event, err);
}

static int decode_mark(json_t *root, struct control_event *event, struct error *err)
{
    json_error_t why;
    json_int_t mark;
    json_int_t time_ns;

    if (json_unpack_ex(root, &why, 0, "{s:I, s:I}", "mark", &mark, "time_ns", &time_ns) < 0)
        return bad_message(err, why.text);
    if (mark < 0 || mark > UINT32_MAX)
        return bad_message(err, "mark out of range");
    event->mark = (uint32_t)mark;
    return take_time(time_ns, event, err);
}

static int decode_counts(json_t *root, struct control_event *event, struct error *err)
{
    json_error_t why;
    const char *at;
    const char *key;
    json_t *values;
    json_t *value;
    size_t index;

    if (json_unpack_ex(root, &why, 0, "{s:s, s:o}", "at", &at, "values", &values) < 0)
        return bad_message(err, why.text);
    if (!json_is_object(values) || json_object_size(values) > CONTROL_COUNTS_MAX)
        return bad_message(err, "'values' is not an object of a few numbers");
    json_object_foreach(values, key, value)
    {
        if (!json_is_integer(value) || json_integer_value(value) < 0 ||
            strlen(key) >= sizeof(event->counts[0].name) ||
            key[strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")])
            return bad_message(err, "a count is not a number with a short plain name");
        control_event_add_count(event, key, (uint64_t)json_integer_value(value));
    }
    index = name_index(counts_at_names, ARRAY_LENGTH(counts_at_names), at);
    if (index == ARRAY_LENGTH(counts_at_names))
        event->type = CONTROL_EVENT_UNKNOWN;
    else
        event->at = (enum control_counts_at)index;
    return 0;
}

/* A newer monitor may know more reasons. */
static void set_unknown_reason(struct control_event *event, const char *reason, const char *text)
{
    event->reason = MACHINE_ERROR;
    text_format(event->text, sizeof(event->text),
                "the monitor ended for the unknown reason '%.64s'%s%s", reason, text[0] ? ": " : "",
                text);
}

static int decode_end(json_t *root, struct control_event *event, struct error *err)
{
    json_error_t why;
    const char *reason;
    const char *text;
    const char *console;
    int status;
    json_int_t time_ns;
    size_t index;

    if (json_unpack_ex(root, &why, 0, "{s:s, s:i, s:s, s:s, s:I}", "reason", &reason, "status",
                       &status, "text", &text, "console", &console, "time_ns", &time_ns) < 0)
        return bad_message(err, why.text);
    if (status < 0 || status > UINT8_MAX)
        return bad_message(err, "status out of range");
    if (strlen(text) >= sizeof(event->text) || strlen(console) >= sizeof(event->console))
        return bad_message(err, "text too long");
    event->status = (uint8_t)status;
    /* A guest may have taken the monitor over, and this text ends up on a terminal. */
    index = name_index(reason_names, ARRAY_LENGTH(reason_names), reason);
    if (index < ARRAY_LENGTH(reason_names)) {
        event->reason = (enum machine_reason)index;
        text_copy(event->text, sizeof(event->text), text);
    } else {
        set_unknown_reason(event, reason, text);
    }
    memcpy(event->console, console, strlen(console) + 1);
    text_clean_lines(event->console, strlen(console));
    return take_time(time_ns, event, err);
}

int control_event_decode(const char *json, size_t size, struct control_event *event,
                         struct error *err)
{
    AUTO_JSON json_t *root = NULL;
    const char *name;
    int rc = load(json, size, "event", &root, &name, err);

    if (rc < 0)
        return rc;
    memset(event, 0, sizeof(*event));
    event->type = (enum control_event_type)name_index(event_names, ARRAY_LENGTH(event_names), name);
    switch (event->type) {
    case CONTROL_EVENT_STAGE:
        return decode_stage(root, event, err);
    case CONTROL_EVENT_RUNNING:
        return decode_running(root, event, err);
    case CONTROL_EVENT_MARK:
        return decode_mark(root, event, err);
    case CONTROL_EVENT_COUNTS:
        return decode_counts(root, event, err);
    case CONTROL_EVENT_END:
        return decode_end(root, event, err);
    case CONTROL_EVENT_UNKNOWN:
        break;
    }
    return 0;
}

int control_command_decode(const char *json, size_t size, struct control_command *command,
                           struct error *err)
{
    AUTO_JSON json_t *root = NULL;
    json_error_t why;
    const char *name;
    int rows = 0;
    int columns = 0;
    int rc = load(json, size, "command", &root, &name, err);

    if (rc < 0)
        return rc;
    memset(command, 0, sizeof(*command));
    command->type =
        (enum control_command_type)name_index(command_names, ARRAY_LENGTH(command_names), name);
    if (command->type != CONTROL_COMMAND_WINDOW)
        return 0;
    if (json_unpack_ex(root, &why, 0, "{s:i, s:i}", "rows", &rows, "columns", &columns) < 0)
        return bad_message(err, why.text);
    if (rows < 0 || rows > UINT16_MAX || columns < 0 || columns > UINT16_MAX)
        return bad_message(err, "window size out of range");
    command->rows = (uint16_t)rows;
    command->columns = (uint16_t)columns;
    return 0;
}

static int send_text(int fd, const char *json, struct error *err)
{
    size_t size = strlen(json);

    if (size > CONTROL_MESSAGE_MAX)
        return error_set(err, EMSGSIZE, "control message of %zu bytes is too long", size);
    while (send(fd, json, size, MSG_NOSIGNAL) < 0) {
        if (errno != EINTR)
            return error_set_errno(err, errno, "control socket");
    }
    return 0;
}

int control_send_event(int fd, const struct control_event *event, struct error *err)
{
    AUTO_FREE char *json = NULL;
    int rc = control_event_encode(event, &json, err);

    return json ? send_text(fd, json, err) : rc;
}

int control_send_command(int fd, const struct control_command *command, struct error *err)
{
    AUTO_FREE char *json = NULL;
    int rc = control_command_encode(command, &json, err);

    return json ? send_text(fd, json, err) : rc;
}

/* Receives one message into `data`, of CONTROL_MESSAGE_MAX bytes; returns its size, 0 = closed. */
static ssize_t receive_text(int fd, char *data, struct error *err)
{
    ssize_t count;

    do
        count = recv(fd, data, CONTROL_MESSAGE_MAX, MSG_TRUNC);
    while (count < 0 && errno == EINTR);
    if (count < 0 && errno == ECONNRESET)
        return 0;
    if (count < 0)
        return error_set_errno(err, errno, "control socket");
    if (count > CONTROL_MESSAGE_MAX)
        return bad_message(err, "too long");
    return count;
}

int control_receive_event(int fd, struct control_event *event, struct error *err)
{
    char data[CONTROL_MESSAGE_MAX];
    ssize_t count = receive_text(fd, data, err);
    int rc;

    if (count <= 0)
        return (int)count;
    rc = control_event_decode(data, (size_t)count, event, err);
    return rc < 0 ? rc : 1;
}

int control_receive_command(int fd, struct control_command *command, struct error *err)
{
    char data[CONTROL_MESSAGE_MAX];
    ssize_t count = receive_text(fd, data, err);
    int rc;

    if (count <= 0)
        return (int)count;
    rc = control_command_decode(data, (size_t)count, command, err);
    return rc < 0 ? rc : 1;
}
