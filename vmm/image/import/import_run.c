/* SPDX-License-Identifier: Apache-2.0 */
/* Run one import from start to end; see import_run.h. */
#include "vmm/image/import/import_run.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "vmm/image/import/channel.h"
#include "vmm/image/import/confine.h"
#include "vmm/image/import/import.h"
#include "vmm/image/import/load_kinds.h"
#include "vmm/image/import/source.h"
#include "vmm/image/load.h"

_Static_assert(SOURCE_OCI == (int)LOAD_KIND_OCI && SOURCE_DOCKER == (int)LOAD_KIND_DOCKER &&
                   SOURCE_ROOT == (int)LOAD_KIND_ROOT,
               "the kinds have the same numbers on both sides");

static bool is_directory(int fd)
{
    struct stat status;

    return fstat(fd, &status) == 0 && S_ISDIR(status.st_mode);
}

/*
 * Reading a directory opens files, but parses nothing; parsing opens nothing. So there are two
 * steps of confinement; the kind of the source decides when the second one follows.
 */
static int open_source(struct load_request *inner, const struct import_request *request,
                       struct error *err)
{
    bool directory = is_directory(request->source);
    int rc = request->confined ? confine_to_reading(directory ? request->source : -1, err) : 0;

    if (rc < 0)
        return rc;
    if (request->confined && !directory) {
        rc = confine_to_parsing(request->channel, request->source, err);
        if (rc < 0)
            return rc;
    }
    rc = source_open(inner->import, request->source, &inner->source, err);
    if (rc < 0)
        return rc;
    if (request->confined && directory)
        return confine_to_parsing(request->channel, request->source, err);
    return 0;
}

static int load(struct load_request *inner, const struct import_request *request, int *kind,
                struct error *err)
{
    static int (*const loaders[])(const struct load_request *, struct error *) = {
        [SOURCE_OCI] = load_oci,
        [SOURCE_DOCKER] = load_docker,
        [SOURCE_ROOT] = load_root,
    };
    int rc = open_source(inner, request, err);

    if (rc < 0)
        return rc;
    *kind = (int)source_kind(inner->source);
    return loaders[*kind](inner, err);
}

int import_run(const struct import_request *request, struct error *err)
{
    struct import import = {.channel = request->channel, .budget.limits = request->limits};
    struct load_request inner = {
        .import = &import,
        .name = request->name,
        .base = request->base,
        .unnamed = request->unnamed,
    };
    struct load_message end = {.call = LOAD_FINISHED};
    struct error problem = ERROR_INIT;

    if (load(&inner, request, &end.result, &problem) < 0) {
        end.call = LOAD_FAILED;
        end.result = problem.code ? problem.code : EIO;
        snprintf(end.text, sizeof(end.text), "%s", problem.text);
    }
    if (inner.source)
        source_close(inner.source);
    import_release(&import);
    return channel_send(request->channel, &end, err);
}
