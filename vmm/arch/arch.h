/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The port contract: all that the machine needs to know of a processor architecture. Each
 * folder beside this file (x86_64/, aarch64/) implements it with the same file names: layout.c,
 * boot.c, vcpu.c, irq.c, state.c, host_level.c, and says its names in names.h. Functions get raw
 * KVM descriptors and the memory map.
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

/* ---- layout.c: where things are in guest-physical space ---- */

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
struct arch_address arch_serial(void); /* where an early serial port is, when it is asked for */

/* Least memory in bytes with which a Linux of ours reaches its init, for a clear early error. */
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

/* Identification, time-stamp counter, local interrupt controller: all but where to start. */
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

/* What the kernel's command line must say on this architecture; `earlycon`: with a serial port. */
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
    uint64_t tree_base, tree_limit;          /* where the tree goes, most bytes */
    uint64_t bytes_copied;                   /* into guest memory, for the figures */
};

/* Places kernel and initramfs. Errors: ENOEXEC (not a kernel), ENOMEM (does not fit: says how much
 * is needed). */
int arch_boot_load(const struct arch_boot_input *input, const struct guest_memory *memory,
                   struct arch_boot *boot, struct error *err);
/* Writes boot parameters that point to the tree of `tree_size` bytes already at boot->tree_base. */
int arch_boot_finish(const struct arch_boot_input *input, const struct guest_memory *memory,
                     size_t tree_size, struct arch_boot *boot, struct error *err);
/* Registers of the first vCPU at entry. The others wait (INIT / PSCI). */
int arch_boot_vcpu(int vcpu_fd, const struct arch_boot *boot, const struct guest_memory *memory,
                   struct error *err);

/* ---- tree.c: the architecture's own nodes ---- */

/*
 * Adds cpus, interrupt controller, timer to a tree under construction (libfdt sequential write), to
 * its root, where addresses and sizes have two cells each. Errors: ENOSPC.
 */
int arch_tree_add(void *tree, unsigned vcpu_count, struct error *err);
/*
 * Writes the cells of `interrupts` (as they are in the tree: big endian) for the edge-triggered
 * `interrupt` of a device; returns how many. Its parent has the phandle below.
 */
unsigned arch_tree_interrupt(uint32_t interrupt, uint32_t cells[3]);
#define ARCH_TREE_INTERRUPT_PARENT 1

/* ---- state.c: what a snapshot carries, and what a crash report shows ---- */

/* One line of where a vCPU stands (instruction pointer, stack, page table), for an internal
 * error. */
void arch_vcpu_describe(int vcpu_fd, char *text, size_t size);

/* Speed class of /dev/kvm as `microvm doctor` names it. */
enum arch_kvm_class { ARCH_KVM_HARDWARE, ARCH_KVM_SOFTWARE };
enum arch_kvm_class arch_kvm_class(void);

/* One of the capabilities of KVM that only this architecture has, and that machines use. */
struct arch_capability {
    const char *name; /* as the kernel's KVM_CAP_... without that beginning */
    const char *what; /* what it is needed for */
    int number;       /* of KVM_CAP_... */
    bool needed;      /* nothing runs without it; else: slower or less */
};
#define ARCH_CAPABILITIES 2
extern const struct arch_capability arch_capabilities[ARCH_CAPABILITIES];

/* ---- host_level.c: which images this processor runs ---- */

/* The level of this processor among those that images name (platform.h), 0 where there are none. */
unsigned arch_host_level(void);

/* ---- kernel files ---- */

/*
 * Where the version of Linux is in the first `size` bytes of a kernel file whose format says so in
 * a header; below `size`, or 0: another format, or it does not say.
 */
size_t arch_kernel_version_at(const uint8_t *image, size_t size);

#endif
