/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starts the container with crun and takes hold of its process and standard streams.
 *
 * The container gets pipes or a terminal, never sockets, so that opening /dev/stdout works as under
 * docker. crun runs detached: it ends when the container's process runs, which then is a child of
 * init. What crun has to say about a failure it writes to its standard error.
 *
 * A container that is to be traced is started in two steps, as every OCI runtime knows them: it is
 * created, then its process waits for the start, and meanwhile the tracer takes hold of it.
 */
#ifndef MICROVM_GUEST_INIT_RUNTIME_H
#define MICROVM_GUEST_INIT_RUNTIME_H

#include <stdbool.h>
#include <sys/types.h>

#include "guest/init/failure.h"
#include "guest/init/options.h"

#define RUNTIME_PATH_MAX 4096

struct container {
    const char *directory; /* "" in a VM, the instance's on a host: /bundle and /run are there */
    const struct process_options *options;
    pid_t runtime; /* crun while it runs, else 0 */
    pid_t pid;     /* the container's first process while it runs, else 0 */
    /* The ends that init holds, non-blocking, -1 = none. The owner of what is left is the caller.
     */
    int input;
    int output;
    int error;            /* with a terminal only crun's own messages */
    int console_listener; /* where crun delivers the terminal */
    int error_end;        /* the other end of `error`, while there is a second step to come */
};

/* Starts the runtime; the container keeps both pointers. Without standard input the container reads
 * /dev/null. With options->trace the container is created only. */
int container_start(struct container *container, const char *directory,
                    const struct process_options *options, struct failure *failure);

/* The second step: starts the runtime once more, to start the container that was created. */
int container_start_created(struct container *container, struct failure *failure);

/* Once crun has ended well: learns the process, and with a terminal sets `input` and `output`. */
int container_attach(struct container *container, struct failure *failure);

/* Sends a signal to the container's first process. From outside of its namespace it gets it just as
 * under docker: ignored when it has no handler, but for SIGKILL and SIGSTOP. */
void container_signal(const struct container *container, int number);

/* Once crun has failed with wait status `wait_status`: its message and docker's exit status.
 * Returns -1. */
int container_explain(const struct container *container, int wait_status, struct failure *failure);

#endif
