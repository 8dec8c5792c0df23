/* SPDX-License-Identifier: Apache-2.0 */
/* A terminal handed to a guest; see terminal.h. */
#include "vmm/base/terminal.h"

#include <sys/ioctl.h>

void terminal_make_raw(int fd, struct terminal *terminal)
{
    struct termios raw;

    terminal->fd = fd;
    terminal->raw = false;
    if (tcgetattr(fd, &terminal->saved) < 0)
        return;
    raw = terminal->saved;
    cfmakeraw(&raw);
    terminal->raw = tcsetattr(fd, TCSADRAIN, &raw) == 0;
}

void terminal_restore(struct terminal *terminal)
{
    if (terminal->raw)
        tcsetattr(terminal->fd, TCSADRAIN, &terminal->saved);
    terminal->raw = false;
}

bool terminal_size(int fd, uint16_t *rows, uint16_t *columns)
{
    struct winsize size;

    if (ioctl(fd, TIOCGWINSZ, &size) < 0 || size.ws_row == 0 || size.ws_col == 0)
        return false;
    *rows = size.ws_row;
    *columns = size.ws_col;
    return true;
}
