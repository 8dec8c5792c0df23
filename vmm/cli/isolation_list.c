/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: --isolation of the commands that look behind several walls; see isolation_list.h. */
#include "vmm/cli/isolation_list.h"

#include <errno.h>
#include <string.h>

#include "vmm/base/bytes.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/search_path.h"

static int add_wall(const char *name, size_t length, const char **walls, size_t *count,
                    struct error *err)
{
    static const char *const known[WALLS_MAX] = {"container", "vm", "gvisor"};

    for (size_t i = 0; i < ARRAY_LENGTH(known); i++) {
        if (strlen(known[i]) != length || strncmp(known[i], name, length) != 0)
            continue;
        for (size_t j = 0; j < *count; j++) {
            if (strcmp(walls[j], known[i]) == 0)
                return error_set(err, EINVAL, "--isolation: %s is there twice", known[i]);
        }
        walls[(*count)++] = known[i];
        return 0;
    }
    return error_set(err, EINVAL, "--isolation: '%.*s' is unknown; use container, vm, gvisor",
                     (int)length, name);
}

int isolation_list_choose(const char *list, const char *walls[WALLS_MAX], size_t *count,
                          struct error *err)
{
    *count = 0;
    if (!list) {
        AUTO_FREE const char *gvisor = search_path_find("runsc");

        list = gvisor ? "container,vm,gvisor" : "container,vm";
    }
    for (;;) {
        size_t length = strcspn(list, ",");
        int rc = add_wall(list, length, walls, count, err);

        if (rc < 0 || !list[length])
            return rc;
        list += length + 1;
    }
}
