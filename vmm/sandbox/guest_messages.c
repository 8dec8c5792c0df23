/* SPDX-License-Identifier: Apache-2.0 */
/* Messages from guest init; see guest_messages.h. */
#include "vmm/sandbox/guest_messages.h"

#include <errno.h>
#include <string.h>

#include "vmm/base/bytes.h"
#include "vmm/base/text.h"

#define HEADER_SIZE sizeof(struct protocol_header)

/* A whole message as it came. */
struct raw_message {
    unsigned type;
    unsigned process;
    size_t size;
    const unsigned char *payload;
};

static int decode_hello(const struct raw_message *raw, struct guest_message *message,
                        struct error *err)
{
    if (raw->type != PROTOCOL_HELLO || raw->size < sizeof(struct protocol_hello) ||
        load_le32(raw->payload) != PROTOCOL_MAGIC)
        return error_set(err, EPROTO,
                         "the guest's init does not speak the guest protocol; use the initramfs "
                         "that came with this microvm");
    if (load_le32(raw->payload + 4) != PROTOCOL_VERSION)
        return error_set(err, EPROTO,
                         "the guest's init speaks version %u of the guest protocol, not %d; use "
                         "the initramfs that came with this microvm",
                         load_le32(raw->payload + 4), PROTOCOL_VERSION);
    message->features = load_le32(raw->payload + 8);
    return 1;
}

static void decode_calls(const struct raw_message *raw, struct guest_message *message)
{
    const unsigned char *at = raw->payload;

    message->call_count = (unsigned)(raw->size / PROTOCOL_SYSCALL_SIZE);
    for (unsigned i = 0; i < message->call_count; i++, at += PROTOCOL_SYSCALL_SIZE)
        message->calls[i] = (struct syscall_row){
            .number = load_le32(at),
            .calls = load_le64(at + 4),
            .errors = load_le64(at + 12),
            .ns = load_le64(at + 20),
        };
}

/* Whether the payload of a known type has a size that this type may have. */
static bool size_is_valid(const struct raw_message *raw)
{
    switch (raw->type) {
    case PROTOCOL_STARTED:
        return raw->size == 0;
    case PROTOCOL_EXITED:
        return raw->size == sizeof(struct protocol_exit);
    case PROTOCOL_FAILED:
        return raw->size >= sizeof(struct protocol_exit);
    case PROTOCOL_MARK:
        return raw->size == sizeof(struct protocol_mark);
    case PROTOCOL_SYSCALLS:
        return raw->size > 0 && raw->size % PROTOCOL_SYSCALL_SIZE == 0 &&
               raw->size <= (size_t)PROTOCOL_SYSCALLS_MAX * PROTOCOL_SYSCALL_SIZE;
    default:
        return false; /* HELLO comes once */
    }
}

/* Returns 1, or 0 for a message to skip. */
static int decode(struct guest_message_reader *reader, struct guest_message *message,
                  struct error *err)
{
    const struct raw_message raw = {
        .type = load_le16(reader->buffer),
        .process = load_le16(reader->buffer + 2),
        .size = reader->used - HEADER_SIZE,
        .payload = reader->buffer + HEADER_SIZE,
    };

    *message = (struct guest_message){.type = raw.type};
    if (!reader->greeted) {
        reader->greeted = true;
        return decode_hello(&raw, message, err);
    }
    if (raw.type == 0 || raw.type > PROTOCOL_SYSCALLS)
        return 0;
    if (!size_is_valid(&raw) || raw.process != PROTOCOL_CONTAINER)
        return error_set(err, EPROTO,
                         "invalid message from the guest (type %u, process %u, %zu bytes)",
                         raw.type, raw.process, raw.size);
    if (raw.type == PROTOCOL_EXITED || raw.type == PROTOCOL_FAILED)
        message->status = raw.payload[0];
    if (raw.type == PROTOCOL_FAILED)
        text_copy_bytes(message->text, sizeof(message->text),
                        raw.payload + sizeof(struct protocol_exit),
                        raw.size - sizeof(struct protocol_exit));
    if (raw.type == PROTOCOL_MARK)
        message->mark = raw.payload[0];
    if (raw.type == PROTOCOL_SYSCALLS)
        decode_calls(&raw, message);
    return 1;
}

/* Bytes that the message at hand has in all, as far as is known. */
static uint64_t message_size(const struct guest_message_reader *reader)
{
    if (reader->used < HEADER_SIZE)
        return HEADER_SIZE;
    return HEADER_SIZE + (uint64_t)load_le32(reader->buffer + 4);
}

/* Moves bytes from *data until the reader has `wanted`; returns whether it has. */
static bool take_bytes(struct guest_message_reader *reader, size_t wanted,
                       const unsigned char **data, size_t *size)
{
    size_t count = wanted - reader->used;

    if (count > *size)
        count = *size;
    memcpy(reader->buffer + reader->used, *data, count);
    reader->used += count;
    *data += count;
    *size -= count;
    return reader->used == wanted;
}

int guest_message_read(struct guest_message_reader *reader, const unsigned char **data,
                       size_t *size, struct guest_message *message, struct error *err)
{
    while (*size > 0) {
        uint64_t wanted;
        int rc;

        if (reader->used < HEADER_SIZE && !take_bytes(reader, HEADER_SIZE, data, size))
            return 0;
        wanted = message_size(reader);
        if (wanted > sizeof(reader->buffer))
            return error_set(err, EPROTO, "invalid message from the guest (%llu bytes)",
                             (unsigned long long)wanted);
        if (!take_bytes(reader, (size_t)wanted, data, size))
            return 0;
        rc = decode(reader, message, err);
        reader->used = 0;
        if (rc != 0)
            return rc;
    }
    return 0;
}
