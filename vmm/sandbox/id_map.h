/* SPDX-License-Identifier: Apache-2.0 */
/* Who is who in a user namespace of a container that runs without root. */
#ifndef MICROVM_SANDBOX_ID_MAP_H
#define MICROVM_SANDBOX_ID_MAP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "vmm/base/error.h"

struct id_range {
    unsigned long first, count; /* outside; count 0 = none */
};

/* Users and groups from 1 on in the namespace; 0 is the caller. */
struct id_map {
    struct id_range users, groups;
};

/*
 * Finds the caller's ranges in /etc/subuid and /etc/subgid (subuid(5)). Returns false, with an
 * empty map, when there are none, or no newuidmap(1) and newgidmap(1) to use them: then root is the
 * only user of the container.
 */
bool id_map_find(struct id_map *map);

/*
 * How many groups there are in the container, from 0 on without a gap: those of `map`, or, for
 * root, who gets no namespace of its own, those of the caller's (all 4294967295 outside of any).
 */
uint64_t id_map_group_count(const struct id_map *map);

/* Maps them in the user namespace of process `pid`. Errors: of write(2) to /proc/PID/uid_map, EIO
 * (newuidmap failed). */
int id_map_write(const struct id_map *map, pid_t pid, struct error *err);

#endif
