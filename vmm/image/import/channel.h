/* SPDX-License-Identifier: Apache-2.0 */
/* The import's end of the channel to microvm; see load_protocol.h. */
#ifndef MICROVM_IMAGE_IMPORT_CHANNEL_H
#define MICROVM_IMAGE_IMPORT_CHANNEL_H

#include "vmm/image/load_protocol.h"

/* Sends a message. Errors: of write(2). */
int channel_send(int channel, const struct load_message *message, struct error *err);

/*
 * Sends a message and waits for the reply, which replaces it; *fd gets the reply's descriptor, or
 * -1 (null: none is expected). Returns the result of the reply, 0 or more. Errors: of write(2) and
 * recvmsg(2), EPROTO, and the negative result itself, without a message in *err.
 */
int channel_call(int channel, struct load_message *message, int *fd, struct error *err);

#endif
