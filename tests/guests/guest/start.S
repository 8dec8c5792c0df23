/* SPDX-License-Identifier: Apache-2.0 */
/* First instructions of the bare-metal guest (64-bit, one to one), interrupt entry, second processor. */

    .section .text.start, "ax"
    .globl guest_start
guest_start:
    movl $0x200000, %esp
    movl %esi, %edi             /* the case */
    call guest_main
1:  hlt
    jmp 1b

/* Any of our interrupts: counts it, acknowledges it at the local APIC. */
    .globl interrupt_entry
interrupt_entry:
    pushq %rax
    incl interrupt_count(%rip)
    movl $0xfee000b0, %eax
    movl $0, (%rax)
    popq %rax
    iretq

/* Copied below 1 MiB; a second processor starts here in real mode. */
    .code16
    .globl second_start, second_end
second_start:
    xorw %ax, %ax
    movw %ax, %ds
    movl $0x5ec0d, 0x6000
1:  hlt
    jmp 1b
second_end:
