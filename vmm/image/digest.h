/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: SHA-256 digests as OCI documents write them: "sha256:" and 64 lower-case hexadecimal
 * digits. */
#ifndef MICROVM_IMAGE_DIGEST_H
#define MICROVM_IMAGE_DIGEST_H

#include <nettle/sha2.h>
#include <stdbool.h>
#include <stddef.h>

#define DIGEST_PREFIX        "sha256:"
#define DIGEST_PREFIX_LENGTH 7
#define DIGEST_HEX_LENGTH    64
#define DIGEST_SIZE          (DIGEST_PREFIX_LENGTH + DIGEST_HEX_LENGTH + 1) /* with the NUL */

/* Is `text` the whole of a valid digest? */
bool digest_is_valid(const char *text);

/* The digest of `size` bytes. */
void digest_of(const void *data, size_t size, char digest[DIGEST_SIZE]);

/* The digest of a whole file, from its beginning. Returns 0 or a negative errno, of pread(2). */
int digest_of_file(int fd, char digest[DIGEST_SIZE]);

/* Piecewise: sha256_init(), sha256_update() of nettle, then this, which also starts afresh. */
void digest_finish(struct sha256_ctx *context, char digest[DIGEST_SIZE]);

#endif
