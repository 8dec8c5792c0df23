/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The early serial port. A vCPU thread must not wait for the console's reader, so bytes go through
 * a pipe to the I/O loop; bytes that do not fit into the pipe are lost.
 */
#include "vmm/machine/early_serial.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "vmm/arch/arch.h"

static void read_register(void *opaque, uint64_t offset, void *data, uint32_t size)
{
    serial_read(opaque, (uint16_t)offset, data, size);
}

static void write_register(void *opaque, uint64_t offset, const void *data, uint32_t size)
{
    serial_write(opaque, (uint16_t)offset, data, size);
}

static void forward(void *opaque, uint32_t events)
{
    const struct early_serial *early = opaque;
    const struct machine_callbacks *host = early->host;
    char data[512];
    ssize_t count = read(early->read_fd, data, sizeof(data));

    (void)events;
    if (count <= 0)
        return;
    if (host->console_output)
        host->console_output(host->opaque, data, (size_t)count);
    if (host->console_fd >= 0 && write(host->console_fd, data, (size_t)count) < 0)
        return; /* The pipe is full: output for debugging is not worth waiting for. */
}

int early_serial_create(const struct machine_callbacks *host, struct event_loop *loop,
                        struct vcpu_shared *shared, struct early_serial *early, struct error *err)
{
    struct arch_address at = arch_serial();
    const struct bus_range range = {
        .name = "serial",
        .base = at.address,
        .size = SERIAL_PORT_COUNT,
        .read = read_register,
        .write = write_register,
        .opaque = &early->serial,
    };
    int ends[2];
    int rc;

    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return error_set_errno(err, errno, "--earlycon: pipe");
    early->host = host;
    early->loop = loop;
    early->read_fd = ends[0];
    early->write_fd = ends[1];
    early->serial.output_fd = early->write_fd;
    rc = event_loop_watch(loop, early->read_fd, EPOLLIN, forward, early);
    if (rc < 0)
        return error_set_errno(err, -rc, "--earlycon: pipe");
    return bus_add(at.bus == ARCH_BUS_PORT ? &shared->ports : &shared->memory, &range, err);
}

void early_serial_destroy(struct early_serial *early)
{
    if (early->read_fd < 0)
        return;
    event_loop_watch(early->loop, early->read_fd, 0, NULL, NULL);
    close(early->read_fd);
    close(early->write_fd);
    early->read_fd = -1;
    early->write_fd = -1;
}
