/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rings the hypercall doorbell.
 *
 * The right to use ports is inherited by fork and survives exec. It is therefore held only for the
 * one instruction that needs it: nothing that init starts can ring.
 */
#include "guest/init/ring_doorbell.h"

#include <sys/io.h>

void doorbell_ring(enum doorbell_call call, unsigned argument)
{
    if (iopl(3) < 0)
        return; /* a kernel without CONFIG_X86_IOPL_IOPERM: a run without marks is still a run */
    outl(DOORBELL_VALUE(call, argument), DOORBELL_PORT);
    iopl(0);
}
