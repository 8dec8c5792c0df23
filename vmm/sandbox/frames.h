/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's side of the control connection to guest init: takes frames apart that a guest
 * has sent, which may be anything, and builds those for the guest. Format: guest/protocol.h.
 */
#ifndef MICROVM_SANDBOX_FRAMES_H
#define MICROVM_SANDBOX_FRAMES_H

#include <stddef.h>
#include <stdint.h>

#include "guest/protocol.h"
#include "vmm/base/error.h"
#include "vmm/report/syscall_counts.h"

#define FRAME_SIZE_MAX (sizeof(struct protocol_header) + PROTOCOL_PAYLOAD_MAX)

struct frame_reader {
    size_t used;
    unsigned char buffer[FRAME_SIZE_MAX];
};

/* What a guest can say. */
struct guest_message {
    enum protocol_type type;         /* PROTOCOL_STARTED, _EXIT, _FAILURE, _MARK or _SYSCALLS */
    uint8_t status;                  /* of EXIT and FAILURE */
    uint8_t mark;                    /* of MARK: enum doorbell_mark */
    char text[PROTOCOL_PAYLOAD_MAX]; /* of FAILURE: one line that is safe to show */
    unsigned call_count;             /* of SYSCALLS; what they say is not judged yet */
    struct syscall_row calls[PROTOCOL_SYSCALLS_MAX];
};

/*
 * Takes bytes from *data, moving it forward, until a frame is whole. Returns 1 with *message
 * filled, 0 when all bytes are taken. Errors: EPROTO (not of this protocol; the connection is of no
 * further use).
 */
int frame_read(struct frame_reader *reader, const unsigned char **data, size_t *size,
               struct guest_message *message, struct error *err);

/* Builds a frame for the guest; returns its size. `size` is at most PROTOCOL_PAYLOAD_MAX. */
size_t frame_build(unsigned char frame[FRAME_SIZE_MAX], enum protocol_type type,
                   const void *payload, size_t size);

#endif
