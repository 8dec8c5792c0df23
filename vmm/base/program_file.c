/* SPDX-License-Identifier: Apache-2.0 */
/* Find the files that are installed with the program; see program_file.h. */
#include "vmm/base/program_file.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/base/cleanup.h"

#ifndef MICROVM_LIBEXECDIR
#define MICROVM_LIBEXECDIR "/usr/local/libexec/microvm"
#endif

const struct program_file program_file_kernel = {
    .name = "vmlinux",
    .what = "guest kernel",
    .option = "--kernel",
    .variable = "MICROVM_KERNEL",
    .made_by = "make kernel",
};
const struct program_file program_file_initramfs = {
    .name = "initramfs.cpio",
    .what = "guest initramfs",
    .option = "--initramfs",
    .variable = "MICROVM_INITRAMFS",
    .made_by = "make",
};
const struct program_file program_file_init = {
    .name = "microvm-init",
    .what = "init program",
    .variable = "MICROVM_INIT",
    .made_by = "make",
};
const struct program_file program_file_crun = {
    .name = "crun",
    .what = "OCI runtime",
    .option = "--runtime",
    .variable = "MICROVM_CRUN",
    .made_by = "make",
};
const struct program_file program_file_import = {
    .name = "microvm-import",
    .what = "import program",
    .variable = "MICROVM_IMPORT",
    .made_by = "make",
};
const struct program_file program_file_probes = {
    .name = "microvm-probes",
    .what = "probes program",
    .variable = "MICROVM_PROBES",
    .made_by = "make",
};

/* A file that the user names must exist: no other place is tried. */
static int check_named(const struct program_file *file, const char *named_by, const char *value,
                       char **path, struct error *err)
{
    struct stat status;

    if (access(value, R_OK) < 0 || stat(value, &status) < 0)
        return error_set_errno(err, errno, "%s: %s %s", named_by, file->what, value);
    if (S_ISDIR(status.st_mode))
        return error_set_errno(err, EISDIR, "%s: %s %s", named_by, file->what, value);
    *path = strdup(value);
    return *path ? 0 : error_set_errno(err, ENOMEM, "%s", file->what);
}

/* DIRECTORY/NAME if it exists, else NULL. */
static char *look_in(const char *directory, int length, const char *name)
{
    AUTO_FREE char *path = NULL;

    if (asprintf(&path, "%.*s/%s", length, directory, name) < 0) {
        path = NULL;
        return NULL;
    }
    return access(path, R_OK) == 0 ? steal_pointer(path) : NULL;
}

int program_file_find(const struct program_file *file, const char *given, char **path,
                      struct error *err)
{
    const char *set = getenv(file->variable);
    char self[PATH_MAX];
    ssize_t length;

    if (given)
        return check_named(file, file->option, given, path, err);
    if (set && *set)
        return check_named(file, file->variable, set, path, err);
    length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (length > 0) {
        self[length] = '\0';
        *path = look_in(self, (int)(strrchr(self, '/') - self), file->name);
        if (*path)
            return 0;
    }
    *path = look_in(MICROVM_LIBEXECDIR, (int)strlen(MICROVM_LIBEXECDIR), file->name);
    if (*path)
        return 0;
    return error_set(err, ENOENT,
                     "%s: no %s beside the program nor in %s; run '%s', or name one by %s%s%s",
                     file->what, file->name, MICROVM_LIBEXECDIR, file->made_by,
                     file->option ? file->option : "", file->option ? " or " : "", file->variable);
}
