/* SPDX-License-Identifier: Apache-2.0 */
/* Digests in their OCI spelling; see digest.h. */
#include "vmm/image/digest.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/io.h"

#define READ_SIZE     (1U << 18)
#define SHA512_PREFIX "sha512:"

static bool has_form(const char *text, const char *prefix, size_t digits)
{
    size_t length = strlen(prefix);

    return strncmp(text, prefix, length) == 0 && strlen(text) == length + digits &&
           strspn(text + length, "0123456789abcdef") == digits;
}

bool digest_is_known(const char *text)
{
    return digest_is_valid(text) || has_form(text, SHA512_PREFIX, 2 * (size_t)SHA512_DIGEST_SIZE);
}

bool digest_is_valid(const char *text)
{
    return has_form(text, DIGEST_PREFIX, DIGEST_HEX_LENGTH);
}

static void write_hex(const char *prefix, const uint8_t *raw, size_t size, char *digest)
{
    static const char digits[] = "0123456789abcdef";
    char *at = stpcpy(digest, prefix);

    for (size_t i = 0; i < size; i++) {
        *at++ = digits[raw[i] >> 4];
        *at++ = digits[raw[i] & 15];
    }
    *at = '\0';
}

void digest_hash_begin(struct digest_hash *hash, const char *like)
{
    hash->is_sha512 = like && strncmp(like, SHA512_PREFIX, strlen(SHA512_PREFIX)) == 0;
    if (hash->is_sha512)
        sha512_init(&hash->sha512);
    else
        sha256_init(&hash->sha256);
}

void digest_hash_update(struct digest_hash *hash, const void *data, size_t size)
{
    if (hash->is_sha512)
        sha512_update(&hash->sha512, size, data);
    else
        sha256_update(&hash->sha256, size, data);
}

void digest_hash_end(struct digest_hash *hash, char digest[DIGEST_ANY_SIZE])
{
    uint8_t raw[SHA512_DIGEST_SIZE];

    if (hash->is_sha512) {
        sha512_digest(&hash->sha512, SHA512_DIGEST_SIZE, raw);
        write_hex(SHA512_PREFIX, raw, SHA512_DIGEST_SIZE, digest);
    } else {
        digest_finish(&hash->sha256, digest);
    }
}

bool digest_fits(const char *digest, const void *data, size_t size)
{
    struct digest_hash hash;
    char actual[DIGEST_ANY_SIZE];

    digest_hash_begin(&hash, digest);
    digest_hash_update(&hash, data, size);
    digest_hash_end(&hash, actual);
    return strcmp(actual, digest) == 0;
}

void digest_of(const void *data, size_t size, char digest[DIGEST_SIZE])
{
    struct sha256_ctx context;

    sha256_init(&context);
    sha256_update(&context, size, data);
    digest_finish(&context, digest);
}

int digest_of_file_like(int fd, const char *like, char digest[DIGEST_ANY_SIZE])
{
    AUTO_FREE uint8_t *buffer = malloc(READ_SIZE);
    struct digest_hash hash;
    off_t at = 0;
    ssize_t count;

    if (!buffer)
        return -ENOMEM;
    digest_hash_begin(&hash, like);
    while ((count = io_pread_full(fd, buffer, READ_SIZE, at)) > 0) {
        digest_hash_update(&hash, buffer, (size_t)count);
        at += count;
    }
    if (count < 0)
        return (int)count;
    digest_hash_end(&hash, digest);
    return 0;
}

int digest_of_file(int fd, char digest[DIGEST_SIZE])
{
    char any[DIGEST_ANY_SIZE];
    int rc = digest_of_file_like(fd, NULL, any);

    if (rc < 0)
        return rc;
    memcpy(digest, any, DIGEST_SIZE);
    return 0;
}

void digest_finish(struct sha256_ctx *context, char digest[DIGEST_SIZE])
{
    uint8_t raw[SHA256_DIGEST_SIZE];

    sha256_digest(context, sizeof(raw), raw);
    write_hex(DIGEST_PREFIX, raw, sizeof(raw), digest);
}
