/* SPDX-License-Identifier: Apache-2.0 */
/* Unpack the payload of a compressed kernel, confined in the same way as for an archive. */
#ifndef MICROVM_IMAGE_IMPORT_UNPACK_H
#define MICROVM_IMAGE_IMPORT_UNPACK_H

/* Copies `payload` to `output`, decompressed. Returns an exit status: EXIT_SUCCESS, or EXIT_FAILURE
 * if the payload is damaged or too large, or the process cannot be confined. */
int unpack_kernel(int payload, int output);

#endif
