/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: SHA-256 digests in their OCI spelling. */
#include "vmm/image/digest.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/io.h"

#define READ_SIZE (1U << 18)

bool digest_is_valid(const char *text)
{
    if (strncmp(text, DIGEST_PREFIX, DIGEST_PREFIX_LENGTH) != 0 || strlen(text) != DIGEST_SIZE - 1)
        return false;
    return strspn(text + DIGEST_PREFIX_LENGTH, "0123456789abcdef") == DIGEST_HEX_LENGTH;
}

void digest_of(const void *data, size_t size, char digest[DIGEST_SIZE])
{
    struct sha256_ctx context;

    sha256_init(&context);
    sha256_update(&context, size, data);
    digest_finish(&context, digest);
}

int digest_of_file(int fd, char digest[DIGEST_SIZE])
{
    AUTO_FREE uint8_t *buffer = malloc(READ_SIZE);
    struct sha256_ctx context;
    off_t at = 0;
    ssize_t count;

    if (!buffer)
        return -ENOMEM;
    sha256_init(&context);
    while ((count = io_pread_full(fd, buffer, READ_SIZE, at)) > 0) {
        sha256_update(&context, (size_t)count, buffer);
        at += count;
    }
    if (count < 0)
        return (int)count;
    digest_finish(&context, digest);
    return 0;
}

void digest_finish(struct sha256_ctx *context, char digest[DIGEST_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t raw[SHA256_DIGEST_SIZE];
    char *at = digest + DIGEST_PREFIX_LENGTH;

    sha256_digest(context, sizeof(raw), raw);
    memcpy(digest, DIGEST_PREFIX, sizeof(DIGEST_PREFIX));
    for (size_t i = 0; i < sizeof(raw); i++) {
        *at++ = digits[raw[i] >> 4];
        *at++ = digits[raw[i] & 15];
    }
    *at = '\0';
}
