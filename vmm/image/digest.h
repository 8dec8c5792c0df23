/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Digests as OCI documents write them (descriptor.md): "sha256:" and 64 lower-case hexadecimal
 * digits, or "sha512:" and 128. The store only uses the former: an import verifies sha512 digests
 * and replaces them.
 */
#ifndef MICROVM_IMAGE_DIGEST_H
#define MICROVM_IMAGE_DIGEST_H

#include <nettle/sha2.h>
#include <stdbool.h>
#include <stddef.h>

#define DIGEST_PREFIX        "sha256:"
#define DIGEST_PREFIX_LENGTH 7
#define DIGEST_HEX_LENGTH    64
#define DIGEST_SIZE          (DIGEST_PREFIX_LENGTH + DIGEST_HEX_LENGTH + 1) /* with the NUL */

#define DIGEST_ANY_SIZE (7 + 128 + 1) /* of either kind, with the NUL */

/* Is `text` a complete, valid SHA-256 digest? */
bool digest_is_valid(const char *text);

/* Or one of either kind? */
bool digest_is_known(const char *text);

/* A running computation, with the algorithm of `like` ("sha512:…", or null for SHA-256).
 * digest_hash_end() also restarts it. */
struct digest_hash {
    bool is_sha512;
    union {
        struct sha256_ctx sha256;
        struct sha512_ctx sha512;
    };
};

void digest_hash_begin(struct digest_hash *hash, const char *like);
void digest_hash_update(struct digest_hash *hash, const void *data, size_t size);
void digest_hash_end(struct digest_hash *hash, char digest[DIGEST_ANY_SIZE]);

/* Is this the digest, of either kind, of `size` bytes? */
bool digest_fits(const char *digest, const void *data, size_t size);

/* The digest of `size` bytes. */
void digest_of(const void *data, size_t size, char digest[DIGEST_SIZE]);

/* The digest of a whole file, from its beginning. Returns 0 or a negative errno, of pread(2). */
int digest_of_file(int fd, char digest[DIGEST_SIZE]);

/* The same with the algorithm of `like`. */
int digest_of_file_like(int fd, const char *like, char digest[DIGEST_ANY_SIZE]);

/* In pieces: sha256_init() and sha256_update() of nettle, then this, which also restarts the
 * context. */
void digest_finish(struct sha256_ctx *context, char digest[DIGEST_SIZE]);

#endif
