/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and writing JSON; see json.h. */
#include "vmm/base/json.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/text.h"
#include "vmm/base/utf8.h"

static void drop(json_t **container)
{
    json_decref(*container);
    *container = NULL;
}

int json_parse(const char *text, size_t size, json_t **root, struct error *err)
{
    json_error_t why;
    char near[JSON_ERROR_TEXT_LENGTH];

    /* When memory is short, jansson reports "invalid token", or nothing, or silently drops a byte
     * of a string. So the allocator notes each failure. */
    errno = 0;
    *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &why);
    if (*root && errno != ENOMEM)
        return 0;
    drop(root);
    if (errno == ENOMEM)
        return error_set_errno(err, ENOMEM, "cannot parse JSON");
    text_copy(near, sizeof(near), why.text); /* it quotes the malformed text */
    return error_set(err, EINVAL, "not valid JSON: line %d: %s", why.line, near);
}

json_t *json_from_text(const char *text)
{
    AUTO_FREE char *copy = strdup(text);
    char *end = copy ? copy + strlen(copy) : NULL;
    uint32_t codepoint;
    size_t length;

    for (char *at = copy; at < end; at += length) {
        length = utf8_decode(at, (size_t)(end - at), &codepoint);
        if (length == 0) {
            *at = '?';
            length = 1;
        }
    }
    return copy ? json_string(copy) : NULL;
}

/* A codepoint that is not safe to show can only be in a string, except for a newline between
 * members. */
static void write_text(const char *text, FILE *out)
{
    const char *end = text + strlen(text);
    const char *run = text; /* not written yet */
    uint32_t codepoint;
    size_t length;

    for (; text < end; text += length) {
        length = utf8_decode(text, (size_t)(end - text), &codepoint);
        if (length == 0) /* never: jansson writes UTF-8 */
            break;
        if (codepoint == '\n' || text_is_safe(codepoint))
            continue;
        fwrite(run, 1, (size_t)(text - run), out);
        run = text + length;
        if (codepoint > 0xffff)
            fprintf(out, "\\u%04x\\u%04x", 0xd7c0 + (codepoint >> 10),
                    0xdc00 + (codepoint & 0x3ff));
        else
            fprintf(out, "\\u%04x", codepoint);
    }
    fwrite(run, 1, (size_t)(text - run), out);
}

void json_append(json_t **array, json_t *value)
{
    if (json_array_append_new(*array, value) < 0)
        drop(array);
}

void json_put(json_t **object, const char *key, json_t *value)
{
    if (json_object_set_new(*object, key, value) < 0)
        drop(object);
}

struct buffer {
    char *text;
    size_t used, room;
    bool failed; /* to stay: jansson does not check every result */
};

static int take_piece(const char *piece, size_t size, void *opaque)
{
    struct buffer *buffer = opaque;

    if (buffer->failed)
        return -1;
    if (buffer->room - buffer->used <= size) { /* and a NUL */
        size_t room = buffer->room + size + 1 > 512 ? 2 * (buffer->room + size) : 512;
        char *text = realloc(buffer->text, room);

        if (!text) {
            buffer->failed = true;
            return -1;
        }
        buffer->text = text;
        buffer->room = room;
    }
    memcpy(buffer->text + buffer->used, piece, size);
    buffer->used += size;
    buffer->text[buffer->used] = '\0';
    return 0;
}

char *json_to_text(const json_t *value, size_t flags)
{
    struct buffer buffer = {0};

    if (value && json_dump_callback(value, take_piece, &buffer, flags) == 0 && !buffer.failed)
        return buffer.text;
    free(buffer.text);
    return NULL;
}

int json_write(const json_t *value, size_t flags, FILE *out, struct error *err)
{
    AUTO_FREE char *text = json_to_text(value, flags);

    if (!text)
        return error_set_errno(err, ENOMEM, "cannot write JSON");
    write_text(text, out);
    fputc('\n', out);
    return 0;
}

/* RFC 8259, section 7: what must be escaped is the quotation mark, the backslash, and U+0000 to
 * U+001F. */
void json_write_string(FILE *file, const char *text)
{
    static const char special[] =
        "\"\\\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10"
        "\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f";

    fputc('"', file);
    while (*text) {
        size_t length = strcspn(text, special);

        fwrite(text, 1, length, file);
        text += length;
        if (*text)
            fprintf(file, "\\u%04x", (unsigned char)*text++);
    }
    fputc('"', file);
}

void json_write_strings(FILE *file, const char *const *strings)
{
    fputc('[', file);
    for (size_t i = 0; strings && strings[i]; i++) {
        if (i > 0)
            fputc(',', file);
        json_write_string(file, strings[i]);
    }
    fputc(']', file);
}
