/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors by name: what one of our own processes hands to another at its start. The receiver
 * finds them in the order of the table from FD_TABLE_FIRST on, and their names in one argument.
 */
#ifndef MICROVM_BASE_FD_TABLE_H
#define MICROVM_BASE_FD_TABLE_H

#include <stdbool.h>

#include "vmm/base/error.h"

#define FD_TABLE_FIRST     3  /* after the standard streams */
#define FD_TABLE_MAX       32 /* descriptors */
#define FD_TABLE_NAME_SIZE 24 /* bytes of a name and its NUL; ':' is in none */

struct fd_table {
    unsigned count;
    struct {
        char name[FD_TABLE_NAME_SIZE];
        int fd; /* -1: taken */
    } rows[FD_TABLE_MAX];
};

/* Adds a descriptor, which the caller still owns; -1 adds nothing. Errors: E2BIG, EINVAL (bad or
 * second name). */
int fd_table_add(struct fd_table *table, const char *name, int fd, struct error *err);

/* The descriptor of that name, which the caller owns from now on; -1 if there is none, or it was
 * taken. */
int fd_table_take(struct fd_table *table, const char *name);

/* The same without taking it. */
int fd_table_find(const struct fd_table *table, const char *name);
bool fd_table_has(const struct fd_table *table, const char *name);

/* The names in order, with ':' between; the caller frees *names. Errors: ENOMEM. */
int fd_table_names(const struct fd_table *table, char **names, struct error *err);

/* In the receiver: fills the table, which owns its descriptors there, from the names. Each is made
 * close-on-exec. Errors: E2BIG, EINVAL. */
int fd_table_receive(const char *names, struct fd_table *table, struct error *err);

/* In the receiver: closes what nobody has taken. */
void fd_table_close(struct fd_table *table);

#endif
