/* SPDX-License-Identifier: Apache-2.0 */
/* The container on this host, for sandboxes that differ from it by their OCI runtime alone. */
#ifndef MICROVM_SANDBOX_SANDBOX_CONTAINER_H
#define MICROVM_SANDBOX_SANDBOX_CONTAINER_H

#include "vmm/sandbox/sandbox.h"

/* prepare(), place() and run() of struct sandbox; `sandbox` is the one in question. */
int container_prepare(const struct sandbox *sandbox, struct sandbox_request *request,
                      struct error *err);
int container_place(struct sandbox_request *request, struct bundle_options *options,
                    struct error *err);
int container_run(const struct sandbox_request *request, int *status, struct error *err);

#endif
