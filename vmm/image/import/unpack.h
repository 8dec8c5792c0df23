/* SPDX-License-Identifier: Apache-2.0 */
/* Unpack the payload of a compressed kernel, in the same cage as an archive. */
#ifndef MICROVM_IMAGE_IMPORT_UNPACK_H
#define MICROVM_IMAGE_IMPORT_UNPACK_H

/* Copies `payload` to `output`, decompressed. Returns an exit status: EXIT_SUCCESS, or EXIT_FAILURE
 * when the payload is damaged, too large, or the cage cannot be made. */
int unpack_kernel(int payload, int output);

#endif
