/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: what runs a bundle: one interface, a virtual machine (vm.c) or a plain namespace
 * container (container.c) behind it, so that both see the same request.
 */
#ifndef MICROVM_ISOLATION_ISOLATION_H
#define MICROVM_ISOLATION_ISOLATION_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/base/error.h"
#include "vmm/image/bundle.h"
#include "vmm/instance/instance.h"
#include "vmm/instance/timeline.h"
#include "vmm/isolation/explain.h"

struct isolation_request {
    struct instance *instance;
    const struct bundle *bundle; /* config.json and its side files */
    const char *root_path;       /* squashfs of the image, for as long as this process lives */
    const char *hostname;
    bool interactive;    /* -i: standard input reaches the command */
    bool terminal;       /* -t */
    uint64_t disk_bytes; /* --disk: size of the writable layer's disk; 0 = in memory */
    uint64_t memory_bytes;
    unsigned vcpu_count;
    const char *kernel_path;
    const char *initramfs_path;
    bool earlycon;
    struct timeline *timeline;       /* never NULL */
    struct explanation *explanation; /* gets what --explain asks for; NULL = not asked */
};

struct isolation {
    const char *name; /* as in --isolation=NAME */
    /*
     * Runs the bundle to its end with this process's standard streams and signals. *status gets the
     * exit status as docker gives it: the command's own, 128+N, 126, 127. A failure of the runner
     * itself is a negative return with *err filled (the caller exits with 125).
     */
    int (*run)(const struct isolation_request *request, int *status, struct error *err);
};

extern const struct isolation isolation_vm;

#endif
