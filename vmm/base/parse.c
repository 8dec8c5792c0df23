/* SPDX-License-Identifier: Apache-2.0 */
/* Strict number and size parsing; see parse.h. */
#include "vmm/base/parse.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Reads digits at *text and moves *text past them. Returns 0, -EINVAL (none) or -ERANGE
 * (overflow). */
static int parse_digits(const char **text, uint64_t *value)
{
    const char *at = *text;
    uint64_t sum = 0;

    if (*at < '0' || *at > '9')
        return -EINVAL;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (__builtin_mul_overflow(sum, 10U, &sum) ||
            __builtin_add_overflow(sum, (uint64_t)(*at - '0'), &sum))
            return -ERANGE;
    }
    *text = at;
    *value = sum;
    return 0;
}

/*
 * Reads a decimal number such as "2", "1.5" or ".5" at *text and moves *text past it: the part
 * before the point into *whole, at most `digits` digits after it into *part, in units of the last
 * digit. Returns 0, -EINVAL (none) or -ERANGE (overflow).
 */
static int parse_decimal(const char **text, unsigned digits, uint64_t *whole, uint64_t *part)
{
    const char *at = *text;
    bool begins = *at == '.';
    int rc = begins ? 0 : parse_digits(&at, whole);

    if (rc < 0)
        return rc;
    if (begins)
        *whole = 0;
    if (*at == '.')
        at++;
    else
        digits = 0;
    if (begins && (*at < '0' || *at > '9'))
        return -EINVAL;
    *part = 0;
    for (unsigned i = 0; i < digits; i++) {
        *part *= 10;
        if (*at >= '0' && *at <= '9')
            *part += (uint64_t)(*at++ - '0');
    }
    *text = at;
    return 0;
}

int parse_u64(const char *text, const char *what, uint64_t min, uint64_t max, uint64_t *value,
              struct error *err)
{
    const char *at = text;
    uint64_t number = 0;
    int rc = parse_digits(&at, &number);

    if (rc == -EINVAL || (rc == 0 && *at))
        return error_set(err, EINVAL, "%s: '%s' is not a whole number", what, text);
    if (rc == -ERANGE || number < min || number > max)
        return error_set(err, ERANGE, "%s: %s is outside of %llu to %llu", what, text,
                         (unsigned long long)min, (unsigned long long)max);
    *value = number;
    return 0;
}

static int suffix_shift(const char *suffix, unsigned *shift)
{
    static const char units[] = "bkmgt";
    const char *unit;

    *shift = 0;
    if (!*suffix)
        return 0;
    unit = strchr(units, suffix[0] | 0x20);
    if (!unit || !*unit)
        return -EINVAL;
    *shift = 10U * (unsigned)(unit - units);
    suffix++;
    if (!*suffix)
        return 0;
    if (*shift && (strcasecmp(suffix, "b") == 0 || strcasecmp(suffix, "ib") == 0))
        return 0;
    return -EINVAL;
}

int parse_size(const char *text, const char *what, uint64_t *bytes, struct error *err)
{
    const char *at = text;
    uint64_t number = 0;
    uint64_t millionths = 0;
    unsigned shift = 0;
    int rc = parse_decimal(&at, 6, &number, &millionths);

    if (rc == -EINVAL || (rc == 0 && suffix_shift(at, &shift) < 0))
        return error_set(err, EINVAL, "%s: '%s' is not a size; write for instance 512m or 2g", what,
                         text);
    if (rc == -ERANGE || number > UINT64_MAX >> shift)
        return error_set(err, ERANGE, "%s: %s is too large", what, text);
    *bytes = (number << shift) + (millionths << shift) / 1000000;
    return 0;
}

int parse_millicpus(const char *text, const char *what, uint32_t *millicpus, struct error *err)
{
    const char *at = text;
    uint64_t whole = 0;
    uint64_t part = 0;
    int rc = parse_decimal(&at, 3, &whole, &part);

    if (rc == -EINVAL || (rc == 0 && *at))
        return error_set(err, EINVAL, "%s: '%s' is not a number such as 2 or 1.5", what, text);
    if (rc == -ERANGE || whole > 1000 || whole * 1000 + part < 10)
        return error_set(err, ERANGE, "%s: %s is outside of 0.01 to 1000", what, text);
    *millicpus = (uint32_t)(whole * 1000 + part);
    return 0;
}

static int hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

int parse_mac(const char *text, const char *what, uint8_t mac[PARSE_MAC_SIZE], struct error *err)
{
    const char *at = text;

    for (unsigned i = 0; i < PARSE_MAC_SIZE; i++, at += 3) {
        int high = hex_digit(at[0]);
        int low = high < 0 ? -1 : hex_digit(at[1]);

        if (low < 0 || at[2] != (i + 1 < PARSE_MAC_SIZE ? ':' : '\0'))
            return error_set(err, EINVAL, "%s: '%s' is not a MAC address such as 02:00:00:00:00:01",
                             what, text);
        mac[i] = (uint8_t)(high << 4 | low);
    }
    if (mac[0] & 1)
        return error_set(err, EINVAL, "%s: %s is the MAC address of a group", what, text);
    return 0;
}
