/* SPDX-License-Identifier: Apache-2.0 */
/* Messages to guest init; see guest_messages.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/bytes.h"
#include "vmm/sandbox/guest_messages.h"

#define HEADER_SIZE sizeof(struct protocol_header)

static void store_header(unsigned char *at, enum protocol_type type, size_t size)
{
    store_le16(at, (uint16_t)type);
    store_le16(at + 2, PROTOCOL_CONTAINER);
    store_le32(at + 4, (uint32_t)size);
}

size_t guest_message_encode(unsigned char message[GUEST_MESSAGE_SIZE_MAX], enum protocol_type type,
                            const void *payload, size_t size)
{
    store_header(message, type, size);
    if (size > 0)
        memcpy(message + HEADER_SIZE, payload, size);
    return HEADER_SIZE + size;
}

/* Appends a message whose payload is `first`, then `second`; at most PROTOCOL_PAYLOAD_MAX bytes. */
static int append(struct guest_request *request, enum protocol_type type, const void *first,
                  size_t first_size, const void *second, size_t second_size, struct error *err)
{
    size_t size = first_size + second_size;
    size_t needed = request->size + HEADER_SIZE + size;
    unsigned char *at;

    if (needed > request->capacity) {
        size_t capacity = needed * 2 > PROTOCOL_PAYLOAD_MAX ? needed * 2 : PROTOCOL_PAYLOAD_MAX;
        unsigned char *grown = realloc(request->data, capacity);

        if (!grown)
            return error_set_errno(err, ENOMEM, "request to the guest");
        request->data = grown;
        request->capacity = capacity;
    }
    at = request->data + request->size;
    store_header(at, type, size);
    if (first_size > 0)
        memcpy(at + HEADER_SIZE, first, first_size);
    if (second_size > 0)
        memcpy(at + HEADER_SIZE + first_size, second, second_size);
    request->size = needed;
    return 0;
}

static int append_hello(struct guest_request *request, struct error *err)
{
    unsigned char payload[sizeof(struct protocol_hello)];

    store_le32(payload, PROTOCOL_MAGIC);
    store_le32(payload + 4, PROTOCOL_VERSION);
    store_le32(payload + 8, 0);
    return append(request, PROTOCOL_HELLO, payload, sizeof(payload), NULL, 0, err);
}

static int append_settings(struct guest_request *request, enum protocol_type type,
                           const char *settings, struct error *err)
{
    size_t size = strlen(settings);

    if (size > PROTOCOL_SETTINGS_MAX)
        return error_set_errno(err, E2BIG, "the settings of the guest's init");
    return append(request, type, settings, size, NULL, 0, err);
}

static int append_file(struct guest_request *request, const struct bundle_file *file,
                       struct error *err)
{
    unsigned char head[sizeof(struct protocol_file) + BUNDLE_NAME_SIZE];
    size_t head_size = sizeof(struct protocol_file) + strlen(file->name) + 1;
    size_t part = PROTOCOL_PAYLOAD_MAX - head_size;
    enum protocol_type type = PROTOCOL_FILE;

    store_le32(head, (uint32_t)file->mode);
    memcpy(head + sizeof(struct protocol_file), file->name, strlen(file->name) + 1);
    for (size_t at = 0; at < file->size || type == PROTOCOL_FILE;) {
        size_t left = file->size - at;
        int rc;

        if (part > left)
            part = left;
        rc = append(request, type, head, type == PROTOCOL_FILE ? head_size : 0, file->data + at,
                    part, err);
        if (rc < 0)
            return rc;
        at += part;
        part = PROTOCOL_PAYLOAD_MAX;
        type = PROTOCOL_DATA;
    }
    return 0;
}

int guest_request_make(const struct bundle *bundle, const char *setup, const char *run,
                       struct guest_request *request, struct error *err)
{
    int rc = append_hello(request, err);

    if (rc < 0)
        return rc;
    rc = append_settings(request, PROTOCOL_SETUP, setup, err);
    if (rc < 0)
        return rc;
    for (unsigned i = 0; i < bundle->count; i++) {
        rc = append_file(request, &bundle->files[i], err);
        if (rc < 0)
            return rc;
    }
    return append_settings(request, PROTOCOL_RUN, run, err);
}

void guest_request_release(struct guest_request *request)
{
    free(request->data);
    *request = (struct guest_request){0};
}
