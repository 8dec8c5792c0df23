/* SPDX-License-Identifier: Apache-2.0 */
/* Strict parsing of what a user types: all digits, one suffix, overflow checked. */
#ifndef MICROVM_BASE_PARSE_H
#define MICROVM_BASE_PARSE_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/base/error.h"

/*
 * Parses a decimal number within [min, max] into *value. `what` names the option or field in the
 * message. Errors: EINVAL (not a number), ERANGE (out of bounds).
 */
int parse_u64(const char *text, const char *what, uint64_t min, uint64_t max, uint64_t *value,
              struct error *err);

/*
 * Parses a size in bytes as docker does: a decimal number ("2", "1.5", ".5"; at most six digits
 * after the point) and at most one suffix of b, k, m, g, t in either case (powers of 1024; an
 * optional trailing "b" or "ib" as in "128MiB"). Fractions of a byte are dropped. Errors: EINVAL,
 * ERANGE.
 */
int parse_size(const char *text, const char *what, uint64_t *bytes, struct error *err);

/*
 * Parses "2", "1.5" or ".5" processors into millicpus, 1000 of which are one (docker's --cpus).
 * Errors: EINVAL, ERANGE (below 10, docker's minimum, or above 1000999).
 */
int parse_millicpus(const char *text, const char *what, uint32_t *millicpus, struct error *err);

/*
 * Parses an Ethernet address of one interface, "02:00:00:00:00:01". Errors: EINVAL (another text,
 * or an address of a group).
 */
#define PARSE_MAC_SIZE 6
int parse_mac(const char *text, const char *what, uint8_t mac[PARSE_MAC_SIZE], struct error *err);

#endif
