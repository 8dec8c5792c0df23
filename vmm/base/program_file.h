/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Find the files that are installed with the program (guest kernel, initramfs, import program):
 * named by the user, else beside the executable (a build tree), else where `make install` put them.
 */
#ifndef MICROVM_BASE_PROGRAM_FILE_H
#define MICROVM_BASE_PROGRAM_FILE_H

#include "vmm/base/error.h"

struct program_file {
    const char *name;     /* "vmlinux" */
    const char *what;     /* for messages: "guest kernel" */
    const char *option;   /* "--kernel", or NULL when no option names it */
    const char *variable; /* environment variable that names it: "MICROVM_KERNEL" */
    const char *made_by;  /* "make kernel" */
};

extern const struct program_file program_file_kernel;    /* vmlinux */
extern const struct program_file program_file_initramfs; /* initramfs.cpio */
extern const struct program_file program_file_init;      /* microvm-init */
extern const struct program_file program_file_crun;      /* crun */
extern const struct program_file program_file_import;    /* microvm-import */
extern const struct program_file program_file_probes;    /* microvm-probes */

/*
 * Writes the path of a file that exists to *path, which the caller frees. `given` is the value of
 * the option or NULL. A place that the user names is the only one that is tried. Errors: ENOENT
 * (the message lists all ways to fix it), EISDIR, of access(2), ENOMEM.
 */
int program_file_find(const struct program_file *file, const char *given, char **path,
                      struct error *err);

#endif
