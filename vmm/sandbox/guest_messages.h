/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's side of the control connection to guest init: decodes what a guest sends, which may
 * be anything, and encodes what the client sends. Format: guest/protocol.h.
 */
#ifndef MICROVM_SANDBOX_GUEST_MESSAGES_H
#define MICROVM_SANDBOX_GUEST_MESSAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest/protocol.h"
#include "vmm/base/error.h"
#include "vmm/oci/bundle.h"
#include "vmm/report/syscall_counts.h"

/* ---- from the guest ---- */

struct guest_message_reader {
    bool greeted; /* HELLO has come */
    size_t used;
    unsigned char buffer[sizeof(struct protocol_header) + PROTOCOL_REPORT_MAX];
};

struct guest_message {
    enum protocol_type type;        /* PROTOCOL_HELLO to PROTOCOL_SYSCALLS */
    uint32_t features;              /* of HELLO */
    uint8_t status;                 /* of EXITED and FAILED */
    uint8_t mark;                   /* of MARK: enum doorbell_mark */
    char text[PROTOCOL_REPORT_MAX]; /* of FAILED: one line that is safe to show */
    unsigned call_count;            /* of SYSCALLS; what they say has not been checked yet */
    struct syscall_row calls[PROTOCOL_SYSCALLS_MAX];
};

/*
 * Takes bytes from *data, moving it forward, until a message is whole. Messages of unknown types
 * are skipped. Returns 1 with *message filled, 0 when all bytes are taken. Errors: EPROTO (another
 * version, no HELLO first, an invalid message, an unknown process; the connection is of no further
 * use).
 */
int guest_message_read(struct guest_message_reader *reader, const unsigned char **data,
                       size_t *size, struct guest_message *message, struct error *err);

/* ---- to the guest ---- */

/* Of messages with fixed payloads: SIGNAL, WINDOW, DRAINED. */
#define GUEST_MESSAGE_SIZE_MAX (sizeof(struct protocol_header) + sizeof(struct protocol_window))

/* Encodes one about the container; returns its size. */
size_t guest_message_encode(unsigned char message[GUEST_MESSAGE_SIZE_MAX], enum protocol_type type,
                            const void *payload, size_t size);

/* All messages from HELLO to RUN, one behind the other. */
struct guest_request {
    unsigned char *data;
    size_t size;
    size_t capacity;
};

/*
 * Makes the request to run `bundle`. `setup` and `run` are the settings of the VM and of the
 * process, as lines. Errors: ENOMEM, E2BIG (settings). Release it by guest_request_release(), after
 * a failure, too.
 */
int guest_request_make(const struct bundle *bundle, const char *setup, const char *run,
                       struct guest_request *request, struct error *err);
void guest_request_release(struct guest_request *request);

#define AUTO_GUEST_REQUEST __attribute__((cleanup(guest_request_release)))

#endif
