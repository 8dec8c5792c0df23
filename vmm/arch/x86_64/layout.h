/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest-physical map of an x86_64 VM.
 *
 *   0x0000_0500  GDT that is loaded at entry
 *   0x0000_7000  zero page (struct boot_params)
 *   0x0000_9000  page tables at entry: the first GiB, one to one
 *   0x0001_0000  command line
 *   0x0002_0000  struct setup_data, then the device tree
 *   0x0010_0000  kernel, where its program headers say, below 1 GiB
 *   ...          RAM up to 3 GiB; the initramfs ends where RAM below 3 GiB ends
 *   0xd000_0000  virtio-mmio registers, 4 KiB a device
 *   0xfec0_0000  IO-APIC
 *   0xfee0_0000  local APIC
 *   0xfffb_d000  four pages for KVM (real mode on processors that need them)
 *   4 GiB        the rest of RAM
 */
#ifndef MICROVM_ARCH_X86_64_LAYOUT_H
#define MICROVM_ARCH_X86_64_LAYOUT_H

#define LAYOUT_GDT              0x500U
#define LAYOUT_ZERO_PAGE        0x7000U
#define LAYOUT_PAGE_TABLES      0x9000U
#define LAYOUT_COMMAND_LINE     0x10000U
#define LAYOUT_TREE             0x20000U
#define LAYOUT_TREE_END         0x80000U
#define LAYOUT_LOW_END          0xa0000U
#define LAYOUT_KERNEL           0x100000U
#define LAYOUT_IDENTITY_END     0x40000000U
#define LAYOUT_HOLE             0xc0000000U
#define LAYOUT_DEVICES          0xd0000000U
#define LAYOUT_IO_APIC          0xfec00000U
#define LAYOUT_LOCAL_APIC       0xfee00000U
#define LAYOUT_KVM_IDENTITY     0xfffbc000U
#define LAYOUT_KVM_TASK_STATE   0xfffbd000U
#define LAYOUT_HIGH             0x100000000U
#define LAYOUT_PAGE             0x1000U
#define LAYOUT_COMMAND_LINE_MAX 2048U /* bytes with the NUL: COMMAND_LINE_SIZE of Linux */

#endif
