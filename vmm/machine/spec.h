/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The description of one VM, as plain data: the client writes it (as JSON), the monitor reads it
 * and builds the VM. The files and sockets of a VM are descriptors of a table
 * (vmm/base/fd_table.h); the description has their names. It knows nothing of images or containers.
 *
 * Names in that table:
 *   kvm                  /dev/kvm
 *   kernel               an ELF file: the launcher unpacks a bzImage
 *   initramfs            optional
 *   memory               a file, with memory_backing "file"
 *   disks[].descriptor   one a disk
 *   nets[].descriptor    one a network device
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
#define MACHINE_NETS_MAX  8
#define MACHINE_VCPUS_MAX 64

struct machine_disk {
    char descriptor[FD_TABLE_NAME_SIZE];
    char *name; /* for messages: its path */
    bool read_only;
    char serial[21]; /* NUL-terminated, at most 20 bytes */
};

/* What a network device's descriptor is; see devices/net/backend.h. */
enum machine_net_kind {
    MACHINE_NET_STREAM, /* frames with their sizes: passt */
    MACHINE_NET_PACKET, /* a packet socket with PACKET_VNET_HDR */
    MACHINE_NET_TAP,    /* a TAP device with a header of 12 bytes */
};

struct machine_net {
    char descriptor[FD_TABLE_NAME_SIZE];
    enum machine_net_kind kind; /* "stream", "packet", "tap" */
    char mac[18];               /* "02:00:00:00:00:01" */
    unsigned mtu;               /* 0 = the driver's choice */
};

/* The backing of the guest's memory; see memory.h. */
enum machine_memory_backing {
    MACHINE_MEMORY_ANONYMOUS,
    MACHINE_MEMORY_MEMFD, /* may be shared with other processes */
    MACHINE_MEMORY_FILE,  /* a private mapping of the descriptor "memory" */
};

struct machine_spec {
    uint64_t memory_bytes;
    enum machine_memory_backing memory_backing; /* "anonymous", "memfd", "file" */
    unsigned vcpu_count;
    char *kernel_name;  /* for messages: its path */
    char *command_line; /* the part of the user or the launcher; the VM adds the required part */
    struct machine_disk disks[MACHINE_DISKS_MAX];
    unsigned disk_count;
    struct machine_net nets[MACHINE_NETS_MAX];
    unsigned net_count;
    bool vsock;
    bool earlycon;
    bool timed;  /* counts include times (`run --explain`) */
    bool traced; /* devices report what they do as they do it */
};

/* Releases all members. */
void machine_spec_clear(struct machine_spec *spec);

/*
 * Adds a disk: a row, and its descriptor `fd` (borrowed) in the table. `name` is copied. Errors:
 * E2BIG, ENOMEM, EINVAL (an invalid size), those of fstat(2).
 */
int machine_spec_add_disk(struct machine_spec *spec, struct fd_table *descriptors, int fd,
                          const char *name, bool read_only, const char *serial, struct error *err);

/*
 * Adds a network device: a row, and its descriptor `fd` (borrowed, non-blocking) in the table.
 * Errors: E2BIG.
 */
int machine_spec_add_net(struct machine_spec *spec, struct fd_table *descriptors, int fd,
                         enum machine_net_kind kind, const char *mac, unsigned mtu,
                         struct error *err);

/* JSON text (the caller frees it) and back. Parsing is strict: unknown keys and wrong types are
 * EINVAL. */
int machine_spec_to_json(const struct machine_spec *spec, char **json, struct error *err);
int machine_spec_from_json(const char *json, struct machine_spec *spec, struct error *err);

#endif
