/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The port contract: all that the VM needs to know about a processor architecture. Each folder
 * beside this file (x86_64/, aarch64/) implements it with the same file names: layout.c, boot.c,
 * vcpu.c, irq.c, state.c, host_level.c, and defines its names in names.h. Functions get raw KVM
 * descriptors and the memory map.
 */
#ifndef MICROVM_ARCH_ARCH_H
#define MICROVM_ARCH_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "devices/guest_memory.h"
#include "vmm/base/error.h"
#include "vmm/base/syscall_rule.h"

struct kvm_run;

/* ---- layout.c: the guest-physical address space ---- */

/* Fills base and size of the regions (not host) for `bytes` of RAM; region 0 begins at 0 or at RAM
 * base. */
int arch_memory_layout(uint64_t bytes, struct guest_memory *memory, struct error *err);

struct arch_device_slot {
    uint64_t base;      /* guest-physical address of 4 KiB of registers */
    uint32_t interrupt; /* global interrupt number, for irqfd and device tree */
};
#define ARCH_DEVICE_SLOTS 16
struct arch_device_slot arch_device_slot(unsigned index);

enum arch_bus { ARCH_BUS_PORT, ARCH_BUS_MEMORY };
struct arch_address {
    enum arch_bus bus;
    uint64_t address;
};
struct arch_address arch_doorbell(void);
struct arch_address arch_serial(void); /* address of the early serial port, if enabled */

/* The minimum memory in bytes with which our Linux reaches its init, for a clear early error. */
uint64_t arch_memory_minimum(void);

/* ---- irq.c: in-kernel interrupt controller ---- */

/* Creates it, before any vCPU (x86_64) or after all (aarch64): see arch_irq_after_vcpus(). */
int arch_irq_create(int vm_fd, unsigned vcpu_count, struct error *err);
bool arch_irq_after_vcpus(void);

/* ---- vcpu.c ---- */

struct arch_vcpu_template; /* what all vCPUs share, such as the CPUID that the host supports */
int arch_vcpu_template_create(int kvm_fd, int vm_fd, unsigned vcpu_count,
                              struct arch_vcpu_template **template, struct error *err);
void arch_vcpu_template_destroy(struct arch_vcpu_template *template); /* NULL is fine */

#define AUTO_VCPU_TEMPLATE __attribute__((cleanup(arch_vcpu_template_destroy_at)))
static inline void arch_vcpu_template_destroy_at(struct arch_vcpu_template **template)
{
    arch_vcpu_template_destroy(*template);
}

/* Identification, time-stamp counter, local interrupt controller: all except the entry point. */
int arch_vcpu_setup(const struct arch_vcpu_template *template, int vcpu_fd, unsigned index,
                    struct error *err);

/* System calls of arch_vcpu_describe(), which a vCPU thread makes when it must report a failure. */
struct syscall_rules arch_vcpu_calls(void);

/* ---- boot.c: the kernel image and the state at entry ---- */

/*
 * A kernel file in another form than arch_boot_load() takes (a bzImage on x86_64) is unpacked to a
 * new file, *unpacked, which the caller closes; else that stays -1. Errors: ENOEXEC, of read(2).
 */
int arch_kernel_unpack(int fd, const char *name, int *unpacked, struct error *err);

/* The parameters that the kernel's command line needs on this architecture; `earlycon`: with a
 * serial port. */
const char *arch_command_line(bool earlycon);

struct arch_boot_input {
    int kernel_fd;            /* vmlinux (x86_64); Image (aarch64): see arch_kernel_unpack() */
    const char *kernel_name;  /* for messages */
    int initramfs_fd;         /* -1 = none */
    const char *command_line; /* complete */
};

struct arch_boot {
    uint64_t entry;     /* guest-physical or virtual address of the first instruction */
    uint64_t boot_data; /* zero page (x86_64) or tree (aarch64) */
    uint64_t initramfs_base, initramfs_size; /* for the tree's /chosen where an arch uses it */
    uint64_t tree_base, tree_limit;          /* where the tree goes, and its maximum size */
    uint64_t bytes_copied;                   /* into guest memory, for the counts */
};

/* Loads kernel and initramfs. Errors: ENOEXEC (not a kernel), ENOMEM (does not fit: the message
 * says how much is needed). */
int arch_boot_load(const struct arch_boot_input *input, const struct guest_memory *memory,
                   struct arch_boot *boot, struct error *err);
/* Writes boot parameters that point to the tree, of `tree_size` bytes, at boot->tree_base. */
int arch_boot_finish(const struct arch_boot_input *input, const struct guest_memory *memory,
                     size_t tree_size, struct arch_boot *boot, struct error *err);
/* Registers of the first vCPU at entry. The others wait (INIT / PSCI). */
int arch_boot_vcpu(int vcpu_fd, const struct arch_boot *boot, const struct guest_memory *memory,
                   struct error *err);

/* ---- tree.c: the architecture's own nodes ---- */

/*
 * Adds cpus, interrupt controller and timer to the root of a tree under construction (libfdt
 * sequential write); addresses and sizes have two cells each. Errors: ENOSPC.
 */
int arch_tree_add(void *tree, unsigned vcpu_count, struct error *err);
/*
 * Writes the cells of `interrupts` (as they are in the tree: big endian) for the edge-triggered
 * `interrupt` of a device; returns how many. Its parent has the phandle below.
 */
unsigned arch_tree_interrupt(uint32_t interrupt, uint32_t cells[3]);
#define ARCH_TREE_INTERRUPT_PARENT 1

/* ---- state.c: state for snapshots and crash reports ---- */

/* One line with the state of a vCPU (instruction pointer, stack, page table), for an internal
 * error. */
void arch_vcpu_describe(int vcpu_fd, char *text, size_t size);

/* Speed class of /dev/kvm, for `microvm doctor`. */
enum arch_kvm_class { ARCH_KVM_HARDWARE, ARCH_KVM_SOFTWARE };
enum arch_kvm_class arch_kvm_class(void);

/* A capability of KVM that only this architecture has, and that VMs use. */
struct arch_capability {
    const char *name; /* the kernel's KVM_CAP_... without that prefix */
    const char *what; /* what it is needed for */
    int number;       /* of KVM_CAP_... */
    bool needed;      /* nothing runs without it; otherwise slower or with fewer features */
};
#define ARCH_CAPABILITIES 2
extern const struct arch_capability arch_capabilities[ARCH_CAPABILITIES];

/* ---- host_level.c: which images this processor runs ---- */

/* The level of this processor, as images name it (platform.h); 0 if the architecture has none. */
unsigned arch_host_level(void);

/* ---- kernel files ---- */

/*
 * The offset of the version text in the first `size` bytes of a kernel file, if its header has one;
 * less than `size`, 0 if there is none.
 */
size_t arch_kernel_version_at(const uint8_t *image, size_t size);

#endif
