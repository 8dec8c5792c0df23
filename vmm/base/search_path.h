/* SPDX-License-Identifier: Apache-2.0 */
/* Find the machine's own programs, as a shell does. */
#ifndef MICROVM_BASE_SEARCH_PATH_H
#define MICROVM_BASE_SEARCH_PATH_H

/*
 * The path of the executable file that `name` means: a path if it has a slash; else looked for in
 * the directories of $PATH, then in those of administrators' programs, which a user's PATH often
 * lacks. The caller frees it. NULL when there is none, or no memory.
 */
char *search_path_find(const char *name);

#endif
