/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The numbers of the hypercall doorbell, shared by host and guest. Stable:
 * docs/reference/doorbell.md.
 *
 * A call is one 32-bit write: the low 8 bits say which call, the high 24 bits are its argument.
 * x86_64: `out %eax` to port DOORBELL_PORT. aarch64: a store to the page the device tree names.
 */
#ifndef MICROVM_GUEST_DOORBELL_ABI_H
#define MICROVM_GUEST_DOORBELL_ABI_H

#define DOORBELL_PORT      0x0d00
#define DOORBELL_SIGNATURE 0x314d564dU /* "MVM1" read as little endian: ABI version 1 */

enum doorbell_call {
    DOORBELL_NULL = 0,  /* does nothing, so that the price of a call can be measured */
    DOORBELL_MARK = 1,  /* argument: enum doorbell_mark; the host notes the time */
    DOORBELL_EXIT = 2,  /* argument: status 0-255; the machine ends */
    DOORBELL_PANIC = 3, /* the guest cannot go on; the machine ends as failed */
};

enum doorbell_mark {
    DOORBELL_MARK_INIT = 1,      /* first instructions of init, user space begins */
    DOORBELL_MARK_RUNTIME = 2,   /* init is done, the container runtime is started */
    DOORBELL_MARK_CONTAINER = 3, /* the runtime has started the container's process */
    DOORBELL_MARK_EXIT = 4,      /* the container's first process has ended */
    DOORBELL_MARK_USER = 256,    /* from here on: free for whoever boots a kernel of his own */
};

#define DOORBELL_VALUE(call, argument) ((unsigned)(call) | ((unsigned)(argument) << 8))

_Static_assert(DOORBELL_NULL == 0 && DOORBELL_MARK == 1 && DOORBELL_EXIT == 2 &&
                   DOORBELL_PANIC == 3,
               "doorbell calls are ABI");
_Static_assert(DOORBELL_VALUE(DOORBELL_EXIT, 7) == 0x702, "call in the low byte, argument above");

#endif
