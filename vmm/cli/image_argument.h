/* SPDX-License-Identifier: Apache-2.0 */
/* Opens the IMAGE of a command line. */
#ifndef MICROVM_CLI_IMAGE_ARGUMENT_H
#define MICROVM_CLI_IMAGE_ARGUMENT_H

#include "vmm/base/error.h"
#include "vmm/image/image.h"

/*
 * Opens the image `text` (name, digest, ID, or a path, which is imported first) in the default
 * store. The caller closes *image. Errors: of reference_parse(), image_load() and image_open().
 */
int image_argument_open(const char *text, struct image **image, struct error *err);

#endif
