/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of the control connection to guest init; see frames.h. */
#include "vmm/sandbox/frames.h"

#include <errno.h>
#include <string.h>

#include "vmm/base/bytes.h"
#include "vmm/base/text.h"

#define HEADER_SIZE sizeof(struct protocol_header)

/* Bytes that the frame at hand has in all, as far as is known. */
static size_t frame_size(const struct frame_reader *reader)
{
    if (reader->used < HEADER_SIZE)
        return HEADER_SIZE;
    return HEADER_SIZE + load_le16(reader->buffer + 2);
}

static void decode_calls(const unsigned char *payload, size_t size, struct guest_message *message)
{
    message->call_count = (unsigned)(size / PROTOCOL_SYSCALL_SIZE);
    for (unsigned i = 0; i < message->call_count; i++, payload += PROTOCOL_SYSCALL_SIZE)
        message->calls[i] = (struct syscall_row){
            .number = load_le32(payload),
            .calls = load_le64(payload + 4),
            .errors = load_le64(payload + 12),
            .ns = load_le64(payload + 20),
        };
}

static int decode(const struct frame_reader *reader, struct guest_message *message,
                  struct error *err)
{
    const unsigned char *payload = reader->buffer + HEADER_SIZE;
    size_t size = reader->used - HEADER_SIZE;
    unsigned type = load_le16(reader->buffer);

    *message = (struct guest_message){.type = type};
    switch (type) {
    case PROTOCOL_STARTED:
        if (size == 0)
            return 1;
        break;
    case PROTOCOL_EXIT:
        message->status = payload[0];
        if (size == sizeof(struct protocol_exit))
            return 1;
        break;
    case PROTOCOL_FAILURE:
        message->status = payload[0];
        if (size < sizeof(struct protocol_exit))
            break;
        text_copy_bytes(message->text, sizeof(message->text),
                        payload + sizeof(struct protocol_exit),
                        size - sizeof(struct protocol_exit));
        return 1;
    case PROTOCOL_SYSCALLS:
        if (size == 0 || size % PROTOCOL_SYSCALL_SIZE != 0 ||
            size > (size_t)PROTOCOL_SYSCALLS_MAX * PROTOCOL_SYSCALL_SIZE)
            break;
        decode_calls(payload, size, message);
        return 1;
    case PROTOCOL_MARK:
        message->mark = payload[0];
        if (size == sizeof(struct protocol_mark))
            return 1;
        break;
    default:
        break;
    }
    return error_set(err, EPROTO, "the guest has sent a message that is none (type %u, %zu bytes)",
                     type, size);
}

int frame_read(struct frame_reader *reader, const unsigned char **data, size_t *size,
               struct guest_message *message, struct error *err)
{
    while (*size > 0) {
        size_t wanted = frame_size(reader);
        size_t count = wanted - reader->used;
        int rc;

        if (count > *size)
            count = *size;
        memcpy(reader->buffer + reader->used, *data, count);
        reader->used += count;
        *data += count;
        *size -= count;
        if (reader->used < wanted)
            break;
        wanted = frame_size(reader);
        if (wanted > FRAME_SIZE_MAX)
            return error_set(err, EPROTO, "the guest has sent a message of %zu bytes", wanted);
        if (reader->used < wanted)
            continue;
        rc = decode(reader, message, err);
        reader->used = 0;
        return rc;
    }
    return 0;
}

size_t frame_build(unsigned char frame[FRAME_SIZE_MAX], enum protocol_type type,
                   const void *payload, size_t size)
{
    store_le16(frame, (uint16_t)type);
    store_le16(frame + 2, (uint16_t)size);
    if (size > 0)
        memcpy(frame + HEADER_SIZE, payload, size);
    return HEADER_SIZE + size;
}
