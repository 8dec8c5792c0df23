/* SPDX-License-Identifier: Apache-2.0 */
/* Encode, decode, send and receive the messages of control.sock; see control_protocol.h.
 */
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
static const char *const stage_names[] = {
    [CONTROL_STAGE_KVM] = "kvm",       [CONTROL_STAGE_MEMORY] = "memory",
    [CONTROL_STAGE_KERNEL] = "kernel", [CONTROL_STAGE_DEVICES] = "devices",
    [CONTROL_STAGE_TREE] = "tree",
};
static const char *const reason_names[] = {
    [CONTROL_REASON_EXIT] = "exit",       [CONTROL_REASON_POWER_OFF] = "power-off",
    [CONTROL_REASON_RESET] = "reset",     [CONTROL_REASON_PANIC] = "panic",
    [CONTROL_REASON_STOPPED] = "stopped", [CONTROL_REASON_ERROR] = "error",
};
static const char *const counts_at_names[] = {
    [CONTROL_COUNTS_INIT] = "init",
    [CONTROL_COUNTS_END] = "end",
};
static const char *const command_names[] = {
    [CONTROL_COMMAND_STOP] = "stop",
    [CONTROL_COMMAND_WINDOW] = "window",
};

const char *control_stage_name(enum control_stage stage)
{
    return stage_names[stage];
}

const char *control_reason_name(enum control_reason reason)
{
    return reason_names[reason];
}

void control_event_add_count(struct control_event *event, const char *name, uint64_t value)
{
    struct control_count *count = &event->counts[event->count_count];

    if (event->count_count == CONTROL_COUNTS_MAX)
        return;
    snprintf(count->name, sizeof(count->name), "%s", name);
    count->value = value;
    event->count_count++;
}

/* Index of `text` in `names`, or -1. */
static int name_index(const char *const *names, size_t count, const char *text)
{
    for (size_t i = 0; i < count; i++) {
        if (text && strcmp(names[i], text) == 0)
            return (int)i;
    }
    return -1;
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
    const char *name = event_names[event->type];
    json_int_t time_ns = (json_int_t)event->time_ns;

    switch (event->type) {
    case CONTROL_EVENT_STAGE:
        return json_pack("{s:s, s:s, s:I}", "event", name, "stage", stage_names[event->stage],
                         "time_ns", time_ns);
    case CONTROL_EVENT_RUNNING:
        return json_pack("{s:s, s:I}", "event", name, "time_ns", time_ns);
    case CONTROL_EVENT_MARK:
        return json_pack("{s:s, s:I, s:I}", "event", name, "mark", (json_int_t)event->mark,
                         "time_ns", time_ns);
    case CONTROL_EVENT_COUNTS:
        return json_pack("{s:s, s:s, s:o}", "event", name, "at", counts_at_names[event->at],
                         "values", counts_to_json(event));
    case CONTROL_EVENT_END:
        return json_pack("{s:s, s:s, s:i, s:o, s:o, s:I}", "event", name, "reason",
                         reason_names[event->reason], "status", (int)event->status, "text",
                         json_from_text(event->text), "console", lines_to_json(event->console),
                         "time_ns", time_ns);
    }
    return NULL;
}

static int dump(json_t *root, char **json, struct error *err)
{
    char *text = json_to_text(root, JSON_COMPACT);

    *json = NULL;
    if (!text)
        return error_set(err, ENOMEM, "cannot write a control message");
    *json = text;
    return 0;
}

int control_event_encode(const struct control_event *event, char **json, struct error *err)
{
    AUTO_JSON json_t *root = event_to_json(event);

    return dump(root, json, err);
}

int control_command_encode(const struct control_command *command, char **json, struct error *err)
{
    AUTO_JSON json_t *root = json_pack("{s:s}", "command", command_names[command->type]);

    if (command->type == CONTROL_COMMAND_WINDOW) {
        json_put(&root, "rows", json_integer(command->rows));
        json_put(&root, "columns", json_integer(command->columns));
    }
    return dump(root, json, err);
}

static int bad_message(struct error *err, const char *why)
{
    char text[JSON_ERROR_TEXT_LENGTH];

    text_copy(text, sizeof(text), why); /* it may quote a key */
    return error_set(err, EINVAL, "control message: %s", text);
}

/* The object in `size` bytes of JSON and the index of its `kind` among `names`. */
static int load(const char *json, size_t size, const char *kind, const char *const *names,
                size_t name_count, json_t **root, struct error *err)
{
    AUTO_JSON json_t *value = NULL;
    int rc = json_parse(json, size, &value, err);
    int index;

    if (rc < 0) {
        error_wrap(err, "control message");
        return rc;
    }
    index = name_index(names, name_count, json_string_value(json_object_get(value, kind)));
    if (index < 0)
        return error_set(err, EINVAL, "control message: no or unknown '%s'", kind);
    *root = steal_pointer(value);
    return index;
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
    const char *name;
    const char *stage;
    json_int_t time_ns;
    int index;

    if (json_unpack_ex(root, &why, JSON_STRICT, "{s:s, s:s, s:I}", "event", &name, "stage", &stage,
                       "time_ns", &time_ns) < 0)
        return bad_message(err, why.text);
    index = name_index(stage_names, ARRAY_LENGTH(stage_names), stage);
    if (index < 0)
        return bad_message(err, "unknown stage");
    event->stage = (enum control_stage)index;
    return take_time(time_ns, event, err);
}

static int decode_running(json_t *root, struct control_event *event, struct error *err)
{
    json_error_t why;
    const char *name;
    json_int_t time_ns;

    if (json_unpack_ex(root, &why, JSON_STRICT, "{s:s, s:I}", "event", &name, "time_ns", &time_ns) <
        0)
        return bad_message(err, why.text);
    return take_time(time_ns, event, err);
}

static int decode_mark(json_t *root, struct control_event *event, struct error *err)
{
    json_error_t why;
    const char *name;
    json_int_t mark;
    json_int_t time_ns;

    if (json_unpack_ex(root, &why, JSON_STRICT, "{s:s, s:I, s:I}", "event", &name, "mark", &mark,
                       "time_ns", &time_ns) < 0)
        return bad_message(err, why.text);
    if (mark < 0 || mark > UINT32_MAX)
        return bad_message(err, "mark out of range");
    event->mark = (uint32_t)mark;
    return take_time(time_ns, event, err);
}

static int decode_counts(json_t *root, struct control_event *event, struct error *err)
{
    json_error_t why;
    const char *name;
    const char *at;
    const char *key;
    json_t *values;
    json_t *value;
    int index;

    if (json_unpack_ex(root, &why, JSON_STRICT, "{s:s, s:s, s:o}", "event", &name, "at", &at,
                       "values", &values) < 0)
        return bad_message(err, why.text);
    index = name_index(counts_at_names, ARRAY_LENGTH(counts_at_names), at);
    if (index < 0)
        return bad_message(err, "unknown moment of counts");
    event->at = (enum control_counts_at)index;
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
    return 0;
}

static int decode_end(json_t *root, struct control_event *event, struct error *err)
{
    json_error_t why;
    const char *name;
    const char *reason;
    const char *text;
    const char *console;
    int status;
    json_int_t time_ns;
    int index;

    if (json_unpack_ex(root, &why, JSON_STRICT, "{s:s, s:s, s:i, s:s, s:s, s:I}", "event", &name,
                       "reason", &reason, "status", &status, "text", &text, "console", &console,
                       "time_ns", &time_ns) < 0)
        return bad_message(err, why.text);
    index = name_index(reason_names, ARRAY_LENGTH(reason_names), reason);
    if (index < 0)
        return bad_message(err, "unknown reason");
    if (status < 0 || status > UINT8_MAX)
        return bad_message(err, "status out of range");
    if (strlen(text) >= sizeof(event->text) || strlen(console) >= sizeof(event->console))
        return bad_message(err, "text too long");
    event->reason = (enum control_reason)index;
    event->status = (uint8_t)status;
    /* A guest may have taken the monitor over: what it says is for a terminal, in the end. */
    text_copy(event->text, sizeof(event->text), text);
    memcpy(event->console, console, strlen(console) + 1);
    text_clean_lines(event->console, strlen(console));
    return take_time(time_ns, event, err);
}

int control_event_decode(const char *json, size_t size, struct control_event *event,
                         struct error *err)
{
    AUTO_JSON json_t *root = NULL;
    int type = load(json, size, "event", event_names, ARRAY_LENGTH(event_names), &root, err);

    if (type < 0)
        return type;
    memset(event, 0, sizeof(*event));
    event->type = (enum control_event_type)type;
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
    }
    return -EINVAL;
}

int control_command_decode(const char *json, size_t size, struct control_command *command,
                           struct error *err)
{
    AUTO_JSON json_t *root = NULL;
    int type = load(json, size, "command", command_names, ARRAY_LENGTH(command_names), &root, err);
    json_error_t why;
    const char *name;
    int rows = 0;
    int columns = 0;
    int rc;

    if (type < 0)
        return type;
    if (type == CONTROL_COMMAND_WINDOW)
        rc = json_unpack_ex(root, &why, JSON_STRICT, "{s:s, s:i, s:i}", "command", &name, "rows",
                            &rows, "columns", &columns);
    else
        rc = json_unpack_ex(root, &why, JSON_STRICT, "{s:s}", "command", &name);
    if (rc < 0)
        return bad_message(err, why.text);
    if (rows < 0 || rows > UINT16_MAX || columns < 0 || columns > UINT16_MAX)
        return bad_message(err, "window size out of range");
    command->type = (enum control_command_type)type;
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

/* Bytes of one message in `data` of CONTROL_MESSAGE_MAX bytes; 0 = closed. */
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
