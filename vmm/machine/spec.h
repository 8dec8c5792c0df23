/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All that describes one virtual machine, as plain data: the client writes it (as JSON), the
 * monitor reads it and builds. What the machine is made from, files and sockets, are descriptors of
 * a table (vmm/base/fd_table.h), which the description names. Nothing of images or containers here.
 *
 * Names in that table:
 *   kvm                  /dev/kvm
 *   kernel               an ELF file: a bzImage has been unpacked by whoever launches
 *   initramfs            optional
 *   memory               a file, with memory_backing "file"
 *   disks[].descriptor   one a disk
 *   console              optional: stream socket of the console
 *   vsock-PORT           optional: stream socket for the guest's one connection to that port
 *   vsock-listener       optional: UNIX socket through which host processes reach the guest
 */
#ifndef MICROVM_MACHINE_SPEC_H
#define MICROVM_MACHINE_SPEC_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/base/error.h"
#include "vmm/base/fd_table.h"

#define MACHINE_DISKS_MAX 8
#define MACHINE_VCPUS_MAX 64

struct machine_disk {
    char descriptor[FD_TABLE_NAME_SIZE];
    char *name; /* for messages: its path */
    bool read_only;
    char serial[21]; /* NUL-terminated, at most 20 bytes */
};

/* What the guest's memory is made of; memory.h says what each means. */
enum machine_memory_backing {
    MACHINE_MEMORY_ANONYMOUS,
    MACHINE_MEMORY_MEMFD, /* may be given to other processes */
    MACHINE_MEMORY_FILE,  /* a private mapping of the descriptor "memory" */
};

struct machine_spec {
    uint64_t memory_bytes;
    enum machine_memory_backing memory_backing; /* "anonymous", "memfd", "file" */
    unsigned vcpu_count;
    char *kernel_name;  /* for messages: its path */
    char *command_line; /* the user's or the runner's part; the machine adds what it must */
    struct machine_disk disks[MACHINE_DISKS_MAX];
    unsigned disk_count;
    bool vsock;
    bool earlycon;
    bool timed;  /* counts say where time went, too (`run --explain`) */
    bool traced; /* devices report what they do as they do it */
};

/* Releases all members. */
void machine_spec_clear(struct machine_spec *spec);

/*
 * Adds a disk: a row, and its descriptor `fd` (borrowed) in the table. `name` is copied. Errors:
 * E2BIG, ENOMEM, EINVAL (a size that no disk can have), those of fstat(2).
 */
int machine_spec_add_disk(struct machine_spec *spec, struct fd_table *descriptors, int fd,
                          const char *name, bool read_only, const char *serial, struct error *err);

/* JSON text (caller frees) and back. Parsing is strict: unknown keys, wrong types are EINVAL. */
int machine_spec_to_json(const struct machine_spec *spec, char **json, struct error *err);
int machine_spec_from_json(const char *json, struct machine_spec *spec, struct error *err);

#endif
