/* SPDX-License-Identifier: Apache-2.0 */
/* A load whose import runs in a thread of the test, so that the sanitizers see it. */
#ifndef MICROVM_TESTS_UNIT_IMAGE_IMPORT_HERE_H
#define MICROVM_TESTS_UNIT_IMAGE_IMPORT_HERE_H

#include "vmm/image/load.h"

/* Same as image_load(), but unconfined. */
int import_here(const struct load_options *options, struct string_list *ids,
                struct string_list *names, struct error *err);

#endif
