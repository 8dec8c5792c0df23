/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The messages between client and monitor on control.sock: one JSON object a message, on a UNIX
 * SOCK_SEQPACKET socket, at most CONTROL_MESSAGE_MAX bytes each.
 *
 * Version: every message, in both directions, carries "version":1, so each can be read on its own.
 * A key, an event, a command, a stage or a reason may be added without a new version; the version
 * changes only when an old reader would misunderstand a message.
 *
 * A reader ignores
 *   - an unknown key,
 *   - an event or a command of an unknown kind, a stage event with an unknown stage, a counts event
 *     of an unknown moment: decoded as CONTROL_EVENT_UNKNOWN or CONTROL_COMMAND_UNKNOWN.
 * An end event with an unknown reason is an end with reason "error"; its text names the reason.
 * A reader refuses, with EINVAL: text that is not one JSON object, a key that is listed twice, a
 * missing key, a known key of the wrong type or out of range, a message that is too long, and
 * another version.
 *
 * monitor -> client
 *   {"version":1,"event":"stage","stage":S,"time_ns":T}   a step of the build ended.
 *     S: "memory", "kvm", "kernel", "devices", "tree". time_ns: CLOCK_MONOTONIC of the host
 *   {"version":1,"event":"running","time_ns":T}           all is built, KVM_RUN is next
 *   {"version":1,"event":"mark","mark":N,"time_ns":T}     doorbell mark
 *   {"version":1,"event":"counts","at":W,"values":{...}}  what the VM has done so far: at most
 *     CONTROL_COUNTS_MAX names and numbers. W: "init" (at the mark of init) or "end"
 *   {"version":1,"event":"end","reason":R,"status":N,"text":S,"console":S,"time_ns":T}   the last
 *     message. R: "exit" (doorbell; status 0-255), "power-off", "reset", "panic", "stopped" (by
 *     command, signal, or because the last client disconnected), "error" (the monitor failed; text
 *     says why). text: one line for a person, may be empty. console: the last lines of the guest's
 *     console (only with reset, panic, error; plain ASCII with newlines).
 * client -> monitor
 *   {"version":1,"command":"stop"}                        end the VM at once
 *   {"version":1,"command":"window","rows":N,"columns":N} size of the attached console
 *
 * Every client gets all events, those before its connection too. The monitor ends its VM when the
 * last client has disconnected.
 */
#ifndef MICROVM_MONITOR_CONTROL_PROTOCOL_H
#define MICROVM_MONITOR_CONTROL_PROTOCOL_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/base/error.h"
#include "vmm/machine/machine_events.h"

#define CONTROL_VERSION     1
#define CONTROL_MESSAGE_MAX 32768
#define CONTROL_CONSOLE_MAX 4096 /* bytes of console text in an end event */
#define CONTROL_COUNTS_MAX  256

enum control_event_type {
    CONTROL_EVENT_STAGE,
    CONTROL_EVENT_RUNNING,
    CONTROL_EVENT_MARK,
    CONTROL_EVENT_COUNTS,
    CONTROL_EVENT_END,
    CONTROL_EVENT_UNKNOWN, /* only received, from a newer monitor; to be ignored */
};

enum control_counts_at { CONTROL_COUNTS_INIT, CONTROL_COUNTS_END };

struct control_count {
    char name[40]; /* such as "exits", "exits.port", "console.kicks" */
    uint64_t value;
};

/* Holds no heap memory, needs no release. Members beside `type` are valid for the types named. */
struct control_event {
    enum control_event_type type;
    uint64_t time_ns;                                /* all but counts and unknown */
    enum machine_stage stage;                        /* stage */
    uint32_t mark;                                   /* mark */
    enum machine_reason reason;                      /* end */
    uint8_t status;                                  /* end with reason exit */
    char text[ERROR_TEXT_SIZE];                      /* end */
    char console[CONTROL_CONSOLE_MAX + 1];           /* end */
    enum control_counts_at at;                       /* counts */
    unsigned count_count;                            /* counts */
    struct control_count counts[CONTROL_COUNTS_MAX]; /* counts */
};

enum control_command_type {
    CONTROL_COMMAND_STOP,
    CONTROL_COMMAND_WINDOW,
    CONTROL_COMMAND_UNKNOWN, /* only received, from a newer client; to be ignored */
};

struct control_command {
    enum control_command_type type;
    uint16_t rows, columns; /* window */
};

/* Appends one number to a counts event; drops it when the event is full. */
void control_event_add_count(struct control_event *event, const char *name, uint64_t value);

/*
 * JSON text of a message (the caller frees it), and back from `size` bytes. Decoded text is made
 * safe to show (text.h). Errors: EINVAL (as above; to encode a message of an unknown kind), ENOMEM.
 */
int control_event_encode(const struct control_event *event, char **json, struct error *err);
int control_event_decode(const char *json, size_t size, struct control_event *event,
                         struct error *err);
int control_command_encode(const struct control_command *command, char **json, struct error *err);
int control_command_decode(const char *json, size_t size, struct control_command *command,
                           struct error *err);

/*
 * Sends one message on the SEQPACKET socket `fd`. Never raises SIGPIPE. On a non-blocking socket
 * -EAGAIN means that the peer does not read.
 */
int control_send_event(int fd, const struct control_event *event, struct error *err);
int control_send_command(int fd, const struct control_command *command, struct error *err);

/*
 * Receives one message. Returns 1, or 0 when the peer has closed, or a negative errno: EAGAIN on a
 * non-blocking socket with nothing there, EINVAL for a message that a reader refuses. A message to
 * be ignored is received like any other, with type CONTROL_EVENT_UNKNOWN, CONTROL_COMMAND_UNKNOWN.
 */
int control_receive_event(int fd, struct control_event *event, struct error *err);
int control_receive_command(int fd, struct control_command *command, struct error *err);

#endif
