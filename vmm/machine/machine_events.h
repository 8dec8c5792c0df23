/* SPDX-License-Identifier: Apache-2.0 */
/* The steps in which a VM is built and the reasons for its end: one list for all who report
 * them. */
#ifndef MICROVM_MACHINE_MACHINE_EVENTS_H
#define MICROVM_MACHINE_MACHINE_EVENTS_H

/* Steps of building a VM, in order; reported when done. */
enum machine_stage {
    MACHINE_STAGE_MEMORY,  /* guest memory in place */
    MACHINE_STAGE_KVM,     /* VM, vCPUs, interrupt controller created */
    MACHINE_STAGE_KERNEL,  /* kernel and initramfs in place; loaded while KVM created the VM */
    MACHINE_STAGE_DEVICES, /* devices created and attached */
    MACHINE_STAGE_TREE,    /* device tree and boot parameters written, vCPUs ready */
};

/* Why a VM ended. */
enum machine_reason {
    MACHINE_EXIT,      /* the doorbell, with a status */
    MACHINE_POWER_OFF, /* the guest switched itself off */
    MACHINE_RESET,     /* the guest reset itself: a reboot, or the end of a panic */
    MACHINE_PANIC,     /* the guest reported it by the doorbell */
    MACHINE_STOPPED,   /* machine_stop() */
    MACHINE_ERROR,     /* KVM or the monitor failed: text says why */
};

#endif
