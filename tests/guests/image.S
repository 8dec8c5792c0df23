/* SPDX-License-Identifier: Apache-2.0 */
/* The flat image of the bare-metal guest (GUEST_IMAGE is its path), inside the test program. */

    .section .rodata
    .globl guest_image, guest_image_end
guest_image:
    .incbin GUEST_IMAGE
guest_image_end:
    .section .note.GNU-stack, "", @progbits
