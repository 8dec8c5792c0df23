/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The subcommand `measure-machine`: the cost of a call to the monitor. It is process 1 of a bare
 * guest, because a container has no access to the doorbell.
 *
 * A byte for the console is one descriptor in a virtqueue, one kick, and the driver's wait until
 * the device has used it (drivers/char/virtio_console.c of Linux, put_chars): a whole round trip.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/io.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "guest/doorbell_abi.h"
#include "guest/probes/measure.h"
#include "guest/probes/subcommands.h"

#define ALL_PORTS 3

static int ring(void *opaque, uint64_t count)
{
    (void)opaque;
    for (uint64_t i = 0; i < count; i++)
        outl(DOORBELL_VALUE(DOORBELL_NULL, 0), DOORBELL_PORT);
    return 0;
}

/* Spaces between the lines of JSON. */
static int kick(void *opaque, uint64_t count)
{
    (void)opaque;
    for (uint64_t i = 0; i < count; i++)
        if (write(STDOUT_FILENO, " ", 1) != 1)
            return -1;
    return 0;
}

static void open_console(void)
{
    struct termios settings;
    int fd;

    mkdir("/dev", 0755);
    if (mount("devtmpfs", "/dev", "devtmpfs", 0, NULL) < 0 && errno != EBUSY)
        return;
    fd = open("/dev/hvc0", O_RDWR);
    if (fd < 0)
        return;
    dup2(fd, STDOUT_FILENO);
    if (tcgetattr(STDOUT_FILENO, &settings) == 0) {
        settings.c_oflag &= ~(tcflag_t)OPOST; /* no translation of newlines */
        tcsetattr(STDOUT_FILENO, TCSANOW, &settings);
    }
}

int cmd_measure_machine(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    if (getpid() != 1)
        return 1;
    open_console();
    if (iopl(ALL_PORTS) < 0) {
        measure_write_errno("hypercall", "iopl");
        reboot(RB_POWER_OFF);
    }
    measure_repeatedly("hypercall", ring, NULL);
    measure_repeatedly("virtio_kick", kick, NULL);
    write(STDOUT_FILENO, "\n", 1);
    tcdrain(STDOUT_FILENO);
    outl(DOORBELL_VALUE(DOORBELL_EXIT, 0), DOORBELL_PORT);
    for (;;)
        pause();
}
