/* SPDX-License-Identifier: Apache-2.0 */
/* Find the host's programs, as a shell does. */
#ifndef MICROVM_BASE_SEARCH_PATH_H
#define MICROVM_BASE_SEARCH_PATH_H

/*
 * The path of the executable file that `name` means: a path if it has a slash; else it is searched
 * in the directories of $PATH, then in the sbin directories, which a user's PATH often lacks. The
 * caller frees it. NULL if there is none, or memory is short.
 */
char *search_path_find(const char *name);

#endif
