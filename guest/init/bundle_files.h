/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the files of the bundle as they come from the client (PROTOCOL_FILE, PROTOCOL_DATA). */
#ifndef MICROVM_GUEST_INIT_BUNDLE_FILES_H
#define MICROVM_GUEST_INIT_BUNDLE_FILES_H

#include "guest/init/failure.h"
#include "guest/init/host_connection.h"

struct bundle_files {
    const char *directory; /* "" in a VM, the instance's on a host; PROTOCOL_BUNDLE_DIR is in it */
    int fd;                /* of the file that is being written; -1 = none */
    char name[64];         /* its name, for messages */
};

/* Begins the file of a FILE message. */
int bundle_files_begin(struct bundle_files *files, const struct message *message,
                       struct failure *failure);

/* Appends a DATA message to it. */
int bundle_files_append(const struct bundle_files *files, const struct message *message,
                        struct failure *failure);

/* No more files come. */
void bundle_files_end(struct bundle_files *files);

#endif
