/* SPDX-License-Identifier: Apache-2.0 */
/* Find the host's programs; see search_path.h. */
#include "vmm/base/search_path.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/base/cleanup.h"

#define ADMINISTRATORS "/usr/local/sbin:/usr/sbin:/sbin"

static bool is_program(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0;
}

char *search_path_find(const char *name)
{
    const char *set = getenv("PATH");
    AUTO_FREE char *directories = NULL;
    char *rest;
    char *directory;

    if (strchr(name, '/'))
        return is_program(name) ? realpath(name, NULL) : NULL;
    if (asprintf(&directories, "%s:" ADMINISTRATORS, set ? set : "/usr/bin:/bin") < 0) {
        directories = NULL;
        return NULL;
    }
    rest = directories;
    while ((directory = strsep(&rest, ":"))) {
        AUTO_FREE char *path = NULL;

        /* An empty name is the working directory. */
        if (asprintf(&path, "%s/%s", *directory ? directory : ".", name) < 0) {
            path = NULL;
            return NULL;
        }
        if (is_program(path))
            return steal_pointer(path);
    }
    return NULL;
}
