/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Run when microvm is built: makes the filter of seccomp_profile.h by libseccomp and
 * prints it as a C string in base64, for crun's annotation run.oci.seccomp_bpf_data. Not part of
 * microvm.
 */
#include <errno.h>
#include <gen/architecture.h>
#include <nettle/base64.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/base/bytes.h"
#include "vmm/base/io.h"
#include "vmm/oci/seccomp_profile.h"

#define FILTER_MAX (256U << 10)
#define LINE       96

static void die(const char *what, int code)
{
    fprintf(stderr, "seccomp-compile: %s: %s\n", what, strerror(code));
    exit(1);
}

/* A name that an architecture, or this libseccomp, does not know is none of its calls. */
static void add(scmp_filter_ctx filter, uint32_t action, const char *name, unsigned count,
                const struct scmp_arg_cmp *comparisons)
{
    int number = seccomp_syscall_resolve_name(name);
    int rc;

    if (number == __NR_SCMP_ERROR)
        return;
    rc = seccomp_rule_add_array(filter, action, number, count, comparisons);
    if (rc < 0)
        die(name, -rc);
}

static void add_rule(scmp_filter_ctx filter, const struct seccomp_rule *rule)
{
    struct scmp_arg_cmp comparison = {.arg = rule->index, .datum_a = rule->value};

    switch (rule->comparison) {
    case SECCOMP_NEVER:
        add(filter, SCMP_ACT_ERRNO((uint32_t)rule->error), rule->name, 0, NULL);
        return;
    case SECCOMP_EQUAL:
        comparison.op = SCMP_CMP_EQ;
        break;
    case SECCOMP_BELOW:
        comparison.op = SCMP_CMP_LT;
        break;
    case SECCOMP_MASKED_CLEAR:
        comparison.op = SCMP_CMP_MASKED_EQ;
        comparison.datum_b = 0;
        break;
    }
    add(filter, SCMP_ACT_ALLOW, rule->name, 1, &comparison);
}

static scmp_filter_ctx make_filter(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(SECCOMP_PROFILE_DENIED));
    static const uint32_t more[] = {ARCHITECTURE_SECCOMP_MORE};
    size_t position = 0;
    const char *name;

    if (!filter)
        die("seccomp_init", ENOMEM);
    seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a binary tree, not a list */
    for (size_t i = 0; i < ARRAY_LENGTH(more); i++)
        seccomp_arch_add(filter, more[i]);
    while ((name = seccomp_profile_next(&position)))
        add(filter, SCMP_ACT_ALLOW, name, 0, NULL);
    for (size_t i = 0; i < seccomp_profile_rule_count; i++)
        add_rule(filter, &seccomp_profile_rules[i]);
    return filter;
}

int main(void)
{
    static uint8_t bytes[FILTER_MAX];
    static char text[BASE64_ENCODE_RAW_LENGTH(FILTER_MAX)];
    int fd = memfd_create("filter", MFD_CLOEXEC);
    scmp_filter_ctx filter = make_filter();
    size_t length;
    ssize_t size;
    int rc = seccomp_export_bpf(filter, fd);

    if (rc < 0)
        die("seccomp_export_bpf", -rc);
    size = io_pread_full(fd, bytes, sizeof(bytes), 0);
    if (size <= 0 || (size_t)size == sizeof(bytes))
        die("filter", EFBIG);
    base64_encode_raw(text, (size_t)size, bytes);
    length = BASE64_ENCODE_RAW_LENGTH((size_t)size);
    for (size_t at = 0; at < length; at += LINE)
        printf("\"%.*s\"\n", LINE, text + at);
    return 0;
}
