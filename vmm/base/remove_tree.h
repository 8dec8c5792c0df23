/* SPDX-License-Identifier: Apache-2.0 */
/* Remove a directory with all that is in it, without following any link. */
#ifndef MICROVM_BASE_REMOVE_TREE_H
#define MICROVM_BASE_REMOVE_TREE_H

/*
 * Removes directory `name` in `parent_fd` with all below it. A symbolic link is removed itself,
 * never followed; a directory that is exchanged for a link meanwhile is not entered. Goes at most
 * REMOVE_DEPTH_MAX deep. Returns 0 (also when nothing is there) or a negative errno.
 */
#define REMOVE_DEPTH_MAX 32
int remove_tree(int parent_fd, const char *name);

#endif
