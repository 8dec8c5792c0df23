/* SPDX-License-Identifier: Apache-2.0 */
/* Remove a directory and its contents, without following any link. */
#ifndef MICROVM_BASE_REMOVE_TREE_H
#define MICROVM_BASE_REMOVE_TREE_H

/*
 * Removes directory `name` in `parent_fd` and everything below it. A symbolic link is removed,
 * never followed; a directory that somebody replaces by a link meanwhile is not entered. Descends
 * at most REMOVE_DEPTH_MAX levels. Returns 0 (also if `name` does not exist) or a negative errno.
 */
#define REMOVE_DEPTH_MAX 32
int remove_tree(int parent_fd, const char *name);

#endif
