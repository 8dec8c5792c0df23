/* SPDX-License-Identifier: Apache-2.0 */
/* Opens the IMAGE of a command line; see image_argument.h. */
#include "vmm/cli/image_argument.h"

#include <errno.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/string_list.h"
#include "vmm/image/load.h"
#include "vmm/image/reference.h"
#include "vmm/image/store.h"

/* Imports what is at `path` into the store; `ids` gets the image's ID. */
static int load_path(const char *store, const char *path, struct string_list *ids,
                     struct error *err)
{
    const struct load_options options = {
        .store = store, .path = path, .unnamed = true, .limits = LOAD_LIMITS_DEFAULT};
    int rc = image_load(&options, ids, NULL, err);

    if (rc < 0)
        return rc;
    if (ids->count != 1)
        return error_set(err, EINVAL, "%s: holds %zu images instead of one", path, ids->count);
    return 0;
}

int image_argument_open(const char *text, struct image **image, struct error *err)
{
    AUTO_FREE char *path = NULL;
    AUTO_STRING_LIST struct string_list ids = {0};
    AUTO_STORE struct store *store = NULL;
    struct reference reference;
    int rc = store_default_path(&path, err);

    if (rc < 0)
        return rc;
    rc = reference_parse(text, &reference, err);
    if (rc < 0)
        return rc;
    if (reference.kind == REFERENCE_PATH) {
        rc = load_path(path, text, &ids, err);
        if (rc < 0)
            return rc;
    }
    rc = store_open(path, STORE_READ, &store, err);
    if (rc < 0)
        return rc;
    return image_open(store, ids.count > 0 ? ids.items[0] : text, image, err);
}
