/* SPDX-License-Identifier: Apache-2.0 */
/* A load whose import runs in a thread of the test; see import_here.h. */
#include "tests/unit/image/import_here.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/image/import/import_run.h"
#include "vmm/image/load_private.h"

static pthread_t thread;
static bool is_started;
static struct import_request request;

static void *run(void *context)
{
    (void)context;
    import_run(&request, NULL);
    close(request.source);
    close(request.channel);
    free((void *)(uintptr_t)request.base);
    return NULL;
}

static int start(const struct load *load, int channel, pid_t *pid, struct error *err)
{
    (void)pid;
    request = (struct import_request){
        .channel = fcntl(channel, F_DUPFD_CLOEXEC, 3),
        .source = fcntl(load->source, F_DUPFD_CLOEXEC, 3),
        .name = load->options->name,
        .base = strcmp(load->options->path, "-") == 0 ? NULL : load_base_name(load->options->path),
        .unnamed = load->options->unnamed,
        .limits = load->options->limits,
    };
    is_started = pthread_create(&thread, NULL, run, NULL) == 0;
    return is_started ? 0 : error_set(err, 1, "no thread");
}

int import_here(const struct load_options *options, struct string_list *ids,
                struct string_list *names, struct error *err)
{
    int rc;

    signal(SIGPIPE, SIG_IGN); /* when the load ends first */
    is_started = false;
    rc = load_run(options, start, ids, names, err);
    if (is_started)
        pthread_join(thread, NULL);
    return rc;
}
