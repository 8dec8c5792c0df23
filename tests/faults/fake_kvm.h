/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A /dev/kvm of memory and a function: it takes the place of the real one in a program that is
 * linked with it, so that machine, devices and monitor run anywhere, with a guest written in C.
 * What the ioctls of a real KVM would check or change is not imitated.
 */
#ifndef MICROVM_TESTS_FAULTS_FAKE_KVM_H
#define MICROVM_TESTS_FAULTS_FAKE_KVM_H

#include <linux/kvm.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The guest: what vCPU `index` does next, as an exit in `run`. Called by the vCPU's own thread for
 * each KVM_RUN, which returns what this returns: 0 or a negative errno. Defined by the program.
 */
int fake_guest_run(unsigned index, struct kvm_run *run);

/* Helpers for it: the exit that is an access to memory or to a port. */
void fake_exit_mmio(struct kvm_run *run, uint64_t address, uint32_t size, const void *write);
void fake_exit_port(struct kvm_run *run, uint16_t port, uint32_t size, const void *write);

/* Guest memory: `size` bytes at guest-physical `address`; NULL outside of it. */
void *fake_guest_memory(uint64_t address, uint64_t size);

/* Writes QueueNotify of the device whose registers are at `base` as KVM takes it, without an exit.
 * Returns whether there is such a queue. */
int fake_ioeventfd(uint64_t base, uint32_t queue);

#endif
