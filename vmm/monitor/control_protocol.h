/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What client and monitor say to each other over control.sock: one JSON object a message,
 * on a UNIX SOCK_SEQPACKET socket, at most CONTROL_MESSAGE_MAX bytes each. Both sides parse
 * strictly: an unknown event, a missing or surplus key, a wrong type is EINVAL.
 *
 * monitor -> client
 *   {"event":"stage","stage":S,"time_ns":T}   a step of the build ended; CLOCK_MONOTONIC of the
 * host S: "kvm", "memory", "kernel", "devices", "tree"
 *   {"event":"running","time_ns":T}           all is built, KVM_RUN is next
 *   {"event":"mark","mark":N,"time_ns":T}     doorbell mark
 *   {"event":"counts","at":W,"values":{...}}  what the machine has done so far, names and numbers;
 *                                             W: "init" (at the mark of init) or "end"
 *   {"event":"end","reason":R,"status":N,"text":S,"console":S,"time_ns":T}   the last message
 *     R: "exit" (doorbell; status 0-255), "power-off", "reset", "panic", "stopped" (by command,
 *     signal, or because the last client went), "error" (the monitor failed; text says why).
 *     text: one line for a person, may be empty. console: the last lines of the guest's console
 *     (only with reset, panic, error; plain ASCII with newlines).
 * client -> monitor
 *   {"command":"stop"}                        end the machine at once
 *   {"command":"window","rows":N,"columns":N} size of the attached console
 *
 * Every client gets all events, those before its connection too. The monitor ends its machine when
 * the last client has disconnected.
 */
#ifndef MICROVM_MONITOR_CONTROL_PROTOCOL_H
#define MICROVM_MONITOR_CONTROL_PROTOCOL_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/base/error.h"

#define CONTROL_MESSAGE_MAX 32768
#define CONTROL_CONSOLE_MAX 4096 /* bytes of console text in an end event */
#define CONTROL_COUNTS_MAX  256

enum control_event_type {
    CONTROL_EVENT_STAGE,
    CONTROL_EVENT_RUNNING,
    CONTROL_EVENT_MARK,
    CONTROL_EVENT_COUNTS,
    CONTROL_EVENT_END,
};

enum control_stage {
    CONTROL_STAGE_KVM,     /* VM, vCPUs, interrupt controller made */
    CONTROL_STAGE_MEMORY,  /* guest memory in place */
    CONTROL_STAGE_KERNEL,  /* kernel and initramfs in place; began beside KVM's part */
    CONTROL_STAGE_DEVICES, /* devices made and wired */
    CONTROL_STAGE_TREE,    /* device tree and boot parameters written, vCPUs ready */
};

enum control_reason {
    CONTROL_REASON_EXIT,
    CONTROL_REASON_POWER_OFF,
    CONTROL_REASON_RESET,
    CONTROL_REASON_PANIC,
    CONTROL_REASON_STOPPED,
    CONTROL_REASON_ERROR,
};

enum control_counts_at { CONTROL_COUNTS_INIT, CONTROL_COUNTS_END };

struct control_count {
    char name[40]; /* such as "exits", "exits.port", "console.kicks" */
    uint64_t value;
};

/* Holds no heap memory, needs no release. Members beside `type` are valid for the types named. */
struct control_event {
    enum control_event_type type;
    uint64_t time_ns;                                /* all but counts */
    enum control_stage stage;                        /* stage */
    uint32_t mark;                                   /* mark */
    enum control_reason reason;                      /* end */
    uint8_t status;                                  /* end with reason exit */
    char text[ERROR_TEXT_SIZE];                      /* end */
    char console[CONTROL_CONSOLE_MAX + 1];           /* end */
    enum control_counts_at at;                       /* counts */
    unsigned count_count;                            /* counts */
    struct control_count counts[CONTROL_COUNTS_MAX]; /* counts */
};

enum control_command_type { CONTROL_COMMAND_STOP, CONTROL_COMMAND_WINDOW };

struct control_command {
    enum control_command_type type;
    uint16_t rows, columns; /* window */
};

/* The name of a stage or reason as it is in the messages ("power-off"). */
const char *control_stage_name(enum control_stage stage);
const char *control_reason_name(enum control_reason reason);

/* Appends one number to a counts event; drops it when the event is full. */
void control_event_add_count(struct control_event *event, const char *name, uint64_t value);

/*
 * JSON text of a message (caller frees), and back from `size` bytes. What comes in is
 * made safe to show (text.h). Errors: EINVAL, ENOMEM.
 */
int control_event_encode(const struct control_event *event, char **json, struct error *err);
int control_event_decode(const char *json, size_t size, struct control_event *event,
                         struct error *err);
int control_command_encode(const struct control_command *command, char **json, struct error *err);
int control_command_decode(const char *json, size_t size, struct control_command *command,
                           struct error *err);

/*
 * Sends one message on the SEQPACKET socket `fd`. Never raises SIGPIPE. On a non-blocking socket
 * -EAGAIN says that the peer does not read.
 */
int control_send_event(int fd, const struct control_event *event, struct error *err);
int control_send_command(int fd, const struct control_command *command, struct error *err);

/*
 * Receives one message. Returns 1, or 0 when the peer has closed, or a negative errno: EAGAIN on a
 * non-blocking socket with nothing there, EINVAL for a message that is not of this protocol.
 */
int control_receive_event(int fd, struct control_event *event, struct error *err);
int control_receive_command(int fd, struct control_command *command, struct error *err);

#endif
