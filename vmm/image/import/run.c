/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: one import from its beginning to its end; see run.h. */
#include "vmm/image/import/run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/cleanup.h"
#include "vmm/image/import/confine.h"
#include "vmm/image/import/import.h"
#include "vmm/image/import/load_kinds.h"
#include "vmm/image/import/source.h"

/* A name for what has none: "dir/My App.tar.gz" is "my-app". Null when nothing is left. */
static char *name_from_path(const char *path)
{
    static const char *const endings[] = {".gz", ".zst", ".xz", ".tgz", ".tar", ".oci", ".docker"};
    AUTO_FREE char *resolved = strcmp(path, "-") == 0 ? NULL : realpath(path, NULL);
    char *base;
    size_t used = 0;

    if (!resolved)
        return NULL;
    base = strdup(strrchr(resolved, '/') + 1);
    if (!base)
        return NULL;
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        size_t length = strlen(base);
        size_t ending = strlen(endings[i]);

        if (length > ending && strcmp(base + length - ending, endings[i]) == 0)
            base[length - ending] = '\0';
    }
    for (const char *at = base; *at && used < 128; at++) {
        char c = *at >= 'A' && *at <= 'Z' ? (char)(*at | 0x20) : *at;

        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
            base[used++] = c;
        else if (used > 0 && base[used - 1] != '-')
            base[used++] = '-';
    }
    while (used > 0 && base[used - 1] == '-')
        used--;
    base[used] = '\0';
    if (used == 0) {
        free(base);
        return NULL;
    }
    return base;
}

static int load(struct load_request *inner, const struct import_request *request, struct error *err)
{
    static int (*const loaders[])(const struct load_request *, struct error *) = {
        [SOURCE_OCI] = load_oci,
        [SOURCE_DOCKER] = load_docker,
        [SOURCE_ROOT] = load_root,
    };
    int rc = source_open(request->path, inner->import->directory, &inner->source, err);

    if (rc == 0) {
        rc = loaders[source_kind(inner->source)](inner, err);
        source_close(inner->source);
    }
    if (rc < 0)
        return error_wrap(err, "%s",
                          strcmp(request->path, "-") == 0 ? "standard input" : request->path);
    return import_commit(inner->import, err);
}

/* From here on, hostile bytes. */
static int confine(const struct import_request *request, struct error *err)
{
    bool is_stream = strcmp(request->path, "-") == 0;
    int rc = confine_files(request->store, is_stream ? NULL : request->path, err);

    if (rc == 0)
        rc = confine_resources(err);
    if (rc == 0)
        rc = confine_system_calls(err);
    return rc;
}

int import_run(const struct import_request *request, struct string_list *ids,
               struct string_list *names, struct error *err)
{
    AUTO_FREE char *base = name_from_path(request->path);
    struct import import;
    struct load_request inner = {
        .import = &import,
        .name = request->name,
        .base = base,
        .unnamed = request->unnamed,
    };
    int rc = import_begin(request->store, &import, err);

    if (rc == 0 && request->confined)
        rc = confine(request, err);
    if (rc == 0)
        rc = load(&inner, request, err);
    for (size_t i = 0; rc == 0 && i < import.image_count; i++) {
        if (string_list_add(ids, import.images[i].config_digest) < 0 ||
            string_list_add(names, import.images[i].name) < 0)
            rc = error_set_errno(err, ENOMEM, "import");
    }
    import_end(&import);
    return rc;
}
