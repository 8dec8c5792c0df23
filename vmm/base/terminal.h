/* SPDX-License-Identifier: Apache-2.0 */
/* A terminal handed to a guest: raw while the guest has it, restored afterwards. */
#ifndef MICROVM_BASE_TERMINAL_H
#define MICROVM_BASE_TERMINAL_H

#include <stdbool.h>
#include <stdint.h>
#include <termios.h>

struct terminal {
    int fd;   /* not owned */
    bool raw; /* to be restored */
    struct termios saved;
};

/* Makes the terminal `fd` raw: no echo, no line editing, no signals, no translation of output. Does
 * nothing if it is not a terminal: `raw` stays false and terminal_restore() does nothing. */
void terminal_make_raw(int fd, struct terminal *terminal);
/* May be called on a zeroed object, and twice. */
void terminal_restore(struct terminal *terminal);

/* Size of the terminal `fd` in cells; false if it is not a terminal or has no size. */
bool terminal_size(int fd, uint16_t *rows, uint16_t *columns);

#endif
