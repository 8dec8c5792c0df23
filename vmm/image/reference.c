/* SPDX-License-Identifier: Apache-2.0 */
/* Parse image references; grammar of the OCI distribution specification, see reference.h. */
#include "vmm/image/reference.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool is_lower_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c)
{
    return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

static bool is_hex(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (!((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f')))
            return false;
    }
    return length > 0;
}

/* A path component: [a-z0-9]+ joined by one '.', one or two '_', or any number of '-'. */
static bool is_component(const char *text, size_t length)
{
    size_t at = 0;

    while (at < length) {
        size_t start = at;
        size_t separators;

        while (at < length && is_lower_alnum(text[at]))
            at++;
        if (at == start)
            return false;
        if (at == length)
            return true;
        separators = strspn(text + at, text[at] == '.' ? "." : text[at] == '_' ? "_" : "-");
        if (separators == 0 || (text[at] == '.' && separators > 1) ||
            (text[at] == '_' && separators > 2))
            return false;
        at += separators;
    }
    return false;
}

/* The first component names a registry if it has a dot or a port, or is "localhost". */
static bool is_registry(const char *text, size_t length)
{
    return memchr(text, '.', length) || memchr(text, ':', length) ||
           (length == 9 && memcmp(text, "localhost", 9) == 0);
}

static bool is_host_and_port(const char *text, size_t length)
{
    const char *colon = memchr(text, ':', length);
    size_t host = colon ? (size_t)(colon - text) : length;

    if (host == 0 || !is_alnum(text[0]) || !is_alnum(text[host - 1]))
        return false;
    for (size_t i = 0; i < host; i++) {
        if (!is_alnum(text[i]) && text[i] != '-' && text[i] != '.')
            return false;
        if (text[i] == '.' && !is_alnum(text[i + 1]))
            return false;
    }
    if (!colon)
        return true;
    if (host + 1 == length)
        return false;
    for (size_t i = host + 1; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
    }
    return true;
}

static bool is_name(const char *text, size_t length)
{
    const char *slash = memchr(text, '/', length);
    size_t at = 0;

    if (slash && is_registry(text, (size_t)(slash - text))) {
        if (!is_host_and_port(text, (size_t)(slash - text)))
            return false;
        at = (size_t)(slash - text) + 1;
    }
    for (;;) {
        const char *end = memchr(text + at, '/', length - at);
        size_t stop = end ? (size_t)(end - text) : length;

        if (!is_component(text + at, stop - at))
            return false;
        if (!end)
            return true;
        at = stop + 1;
    }
}

static bool is_tag(const char *text)
{
    size_t length = strlen(text);

    if (length == 0 || length > REFERENCE_TAG_MAX || text[0] == '.' || text[0] == '-')
        return false;
    for (size_t i = 0; i < length; i++) {
        if (!is_alnum(text[i]) && !strchr("_.-", text[i]))
            return false;
    }
    return true;
}

/* Strips the parts that docker does not show in a name. */
static void strip_default_registry(const char **text, size_t *length)
{
    static const char *const defaults[] = {"docker.io/", "index.docker.io/"};

    for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++) {
        size_t skip = strlen(defaults[i]);

        if (*length > skip && strncmp(*text, defaults[i], skip) == 0) {
            const char *rest = *text + skip;
            const char *slash = memchr(rest, '/', *length - skip);

            if (slash && is_registry(rest, (size_t)(slash - rest)))
                return; /* without its registry it would mean another one */
            *text += skip;
            *length -= skip;
            if (*length > 8 && strncmp(*text, "library/", 8) == 0 &&
                !memchr(*text + 8, '/', *length - 8)) {
                *text += 8;
                *length -= 8;
            }
            return;
        }
    }
}

static int parse_id(const char *text, struct reference *reference, struct error *err)
{
    const char *hex = text + DIGEST_PREFIX_LENGTH;
    size_t length = strlen(hex);

    if (length > DIGEST_HEX_LENGTH || !is_hex(hex, length))
        return error_set(err, EINVAL,
                         "'%s' is not an image ID: expected sha256: and up to %d digits", text,
                         DIGEST_HEX_LENGTH);
    reference->kind = REFERENCE_ID;
    memcpy(reference->digest, text, DIGEST_PREFIX_LENGTH + length + 1);
    return 0;
}

int reference_parse(const char *text, struct reference *reference, struct error *err)
{
    const char *digest = strchr(text, '@');
    size_t length = digest ? (size_t)(digest - text) : strlen(text);
    const char *slash = memrchr(text, '/', length);
    const char *tag;

    *reference = (struct reference){.kind = REFERENCE_NAME};
    if (text[0] == '.' || text[0] == '/') {
        reference->kind = REFERENCE_PATH;
        return 0;
    }
    if (strncmp(text, DIGEST_PREFIX, DIGEST_PREFIX_LENGTH) == 0)
        return parse_id(text, reference, err);

    tag = memchr(slash ? slash : text, ':', length - (size_t)((slash ? slash : text) - text));
    if (digest) {
        if (!digest_is_valid(digest + 1))
            return error_set(err, EINVAL, "image '%s': after '@' must follow sha256: and 64 digits",
                             text);
        memcpy(reference->digest, digest + 1, DIGEST_SIZE);
        if (tag) /* docker ignores a tag beside a digest */
            length = (size_t)(tag - text);
    } else if (tag) {
        if (!is_tag(tag + 1))
            return error_set(err, EINVAL, "image '%s': '%s' is not a tag", text, tag + 1);
        memcpy(reference->tag, tag + 1, strlen(tag + 1) + 1);
        length = (size_t)(tag - text);
    } else {
        memcpy(reference->tag, "latest", sizeof("latest"));
        reference->maybe_id = length <= DIGEST_HEX_LENGTH && is_hex(text, length);
    }
    if (length > REFERENCE_NAME_MAX)
        return error_set(err, EINVAL, "image '%.32s…': the name is longer than %d bytes", text,
                         REFERENCE_NAME_MAX);
    if (!is_name(text, length))
        return error_set(err, EINVAL,
                         "image '%s': not a valid name: expected lower-case letters and digits, "
                         "parts joined by . _ - and / (a path begins with ./ or /)",
                         text);
    strip_default_registry(&text, &length);
    if (length == DIGEST_PREFIX_LENGTH - 1 && strncmp(text, DIGEST_PREFIX, length) == 0)
        return error_set(err, EINVAL, "image '%s': this name looks like an ID", text);
    memcpy(reference->name, text, length);
    return 0;
}

int reference_parse_tagged(const char *text, struct reference *reference, struct error *err)
{
    int rc = reference_parse(text, reference, err);

    if (rc < 0)
        return rc;
    if (reference->kind != REFERENCE_NAME || reference->digest[0])
        return error_set(err, EINVAL, "'%s' is not a name for an image: expected NAME[:TAG]", text);
    return 0;
}

void reference_format(const struct reference *reference, char *text, size_t size)
{
    snprintf(text, size, "%s%s%s", reference->name, reference->digest[0] ? "@" : ":",
             reference->digest[0] ? reference->digest : reference->tag);
}
