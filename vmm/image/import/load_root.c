/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Load a plain root file system as an image of one layer. Its config has no command (that comes
 * with `microvm run`) and no date: the same tree is the same image.
 */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/json.h"
#include "vmm/image/document.h"
#include "vmm/image/import/build.h"
#include "vmm/image/import/load_kinds.h"
#include "vmm/image/import/stage_layer.h"

static int make_config(const char *diff_id, char **text, struct error *err)
{
    AUTO_JSON json_t *root =
        json_pack("{s:s, s:s, s:{}, s:{s:s, s:[s]}, s:[{s:s}]}", "architecture",
                  platform_host_architecture(), "os", "linux", "config", "rootfs", "type", "layers",
                  "diff_ids", diff_id, "history", "created_by", "microvm image load");

    *text = json_to_text(root, JSON_COMPACT);
    return *text ? 0 : error_set_errno(err, ENOMEM, "import");
}

static int stage(const struct load_request *request, struct build *build,
                 struct imported_image *image, struct error *err)
{
    struct image_config config = {0};
    struct image_layer layer = {0};
    AUTO_FREE char *text = NULL;
    char diff_id[DIGEST_SIZE] = "";
    char digest[DIGEST_SIZE];
    int rc = import_stage_layer(request->import, request->source, NULL, &layer, err);

    if (rc < 0)
        return rc;
    rc = build_add_layer(request->import, build, &layer, NULL, diff_id, err);
    if (rc < 0)
        return rc;
    rc = make_config(diff_id, &text, err);
    if (rc < 0)
        return rc;
    if (tree_count(build->tree) <= 1)
        return error_set(err, EBADMSG, "the root file system is empty");
    digest_of(text, strlen(text), digest);
    if (import_find_stored(request->import, digest, image))
        return 0;
    rc = import_stage_text(request->import, text, strlen(text), digest, err);
    if (rc < 0)
        return rc;
    rc = build_finish(request->import, build, &config, digest, err);
    if (rc < 0)
        return rc;
    return load_stage_manifest(request->import, digest, strlen(text), &layer, 1, image, err);
}

static int build_image(const struct load_request *request, struct imported_image *image,
                       struct error *err)
{
    AUTO_BUILD struct build build;
    int rc = build_begin(request->import, &build, err);

    return rc < 0 ? rc : stage(request, &build, image, err);
}

int load_root(const struct load_request *request, struct error *err)
{
    struct imported_image image = {0};
    int rc = load_choose_name(request, NULL, image.name, err);

    if (rc < 0)
        return rc;
    rc = build_image(request, &image, err);
    if (rc < 0)
        return rc;
    return import_add_image(request->import, &image, err);
}
