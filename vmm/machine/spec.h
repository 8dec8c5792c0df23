/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: all that describes one virtual machine, as plain data: the client writes it (as JSON,
 * into the instance directory), the monitor reads it and builds. Nothing of images or containers
 * here.
 */
#ifndef MICROVM_MACHINE_SPEC_H
#define MICROVM_MACHINE_SPEC_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/base/error.h"

#define MACHINE_DISKS_MAX 8
#define MACHINE_VCPUS_MAX 64

struct machine_disk {
    char *path;
    bool read_only;
    char serial[21]; /* NUL-terminated, at most 20 bytes */
};

/* What the guest's memory is made of; memory.h says what each means. */
enum machine_memory_backing {
    MACHINE_MEMORY_ANONYMOUS,
    MACHINE_MEMORY_MEMFD, /* may be given to other processes */
    MACHINE_MEMORY_FILE,  /* a private mapping of memory_path */
};

struct machine_spec {
    uint64_t memory_bytes;
    enum machine_memory_backing memory_backing; /* "anonymous", "memfd", "file" */
    char *memory_path; /* the file of MACHINE_MEMORY_FILE; NULL with the others */
    unsigned vcpu_count;
    char *kernel_path;
    char *initramfs_path;      /* NULL = none */
    char *initramfs_tail_path; /* NULL = none: the per-VM cpio */
    char *command_line;        /* the user's or the runner's part; the machine adds what it must */
    struct machine_disk disks[MACHINE_DISKS_MAX];
    unsigned disk_count;
    bool vsock;            /* host side in the instance directory */
    bool console_attached; /* the client passes a stream for the console (microvm boot) */
    bool earlycon;
    bool timed;    /* counts say where time went, too (`run --explain`) */
    bool narrated; /* the client passes a pipe for what happens, as it happens */
};

/* Releases all members. */
void machine_spec_clear(struct machine_spec *spec);

/* JSON text (caller frees) and back. Parsing is strict: unknown keys, wrong types are EINVAL. */
int machine_spec_to_json(const struct machine_spec *spec, char **json, struct error *err);
int machine_spec_from_json(const char *json, struct machine_spec *spec, struct error *err);

/* Whether the size of a disk's file is one that a disk can have. Errors: EINVAL, those of stat(2).
 */
int machine_disk_check(const struct machine_disk *disk, struct error *err);

#endif
