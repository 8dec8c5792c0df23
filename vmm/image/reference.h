/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a user names an image, parsed by the grammar of the OCI distribution specification.
 *
 *   debian, debian:12, localhost:5000/team/app:v1   a name with a tag ("latest" unless written)
 *   debian@sha256:HEX                               a name with a manifest digest
 *   sha256:HEX, 3f57d9401f8d                        an image ID (digest of the config) or a prefix
 * of it
 *   ./app.tar, /srv/layout, .                       a path: whatever begins with '.' or '/'
 *
 * A text of only hexadecimal digits is a name and may be an ID: the store looks for the name first.
 */
#ifndef MICROVM_IMAGE_REFERENCE_H
#define MICROVM_IMAGE_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>

#include "vmm/base/error.h"
#include "vmm/image/digest.h"

#define REFERENCE_NAME_MAX 255
#define REFERENCE_TAG_MAX  128

enum reference_kind {
    REFERENCE_NAME, /* name, and tag or digest */
    REFERENCE_ID,   /* digest holds "sha256:" and 1 to 64 digits */
    REFERENCE_PATH, /* nothing else is filled: the text itself is the path */
};

struct reference {
    enum reference_kind kind;
    char name[REFERENCE_NAME_MAX +
              1]; /* as shown by docker: "docker.io/library/debian" is "debian" */
    char tag[REFERENCE_TAG_MAX + 1]; /* "latest" by default; empty with a digest */
    char digest[DIGEST_SIZE];        /* with '@' or as an ID, else empty */
    bool maybe_id;                   /* a name that could be a prefix of an ID */
};

/* Parses `text`. Errors: EINVAL (the message names the wrong part). */
int reference_parse(const char *text, struct reference *reference, struct error *err);

/* Same as reference_parse(), but only accepts a name with a tag, as an image can have. */
int reference_parse_tagged(const char *text, struct reference *reference, struct error *err);

/* Writes "name:tag" or "name@digest" of a REFERENCE_NAME; `size` is at least
 * REFERENCE_TEXT_SIZE. */
#define REFERENCE_TEXT_SIZE (REFERENCE_NAME_MAX + 1 + REFERENCE_TAG_MAX + 1)
void reference_format(const struct reference *reference, char *text, size_t size);

#endif
