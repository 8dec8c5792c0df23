/* SPDX-License-Identifier: Apache-2.0 */
/* The container on this host, for sandboxes that differ from it by their OCI runtime alone. */
#ifndef MICROVM_SANDBOX_SANDBOX_CONTAINER_H
#define MICROVM_SANDBOX_SANDBOX_CONTAINER_H

#include "vmm/sandbox/sandbox.h"

/* prepare(), transform(), run() and release() of struct sandbox; `sandbox` is the one in question,
 * *opaque its state.
 */
int container_prepare(const struct sandbox *sandbox, const struct sandbox_options *options,
                      void **opaque, struct error *err);
int container_transform(void *opaque, const struct sandbox_options *options,
                        const struct sandbox_instance *instance, struct oci_config *config,
                        struct error *err);
int container_run(void *opaque, const struct sandbox_request *request, int *status,
                  struct error *err);
void container_release(void *opaque);

#endif
