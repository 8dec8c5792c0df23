/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What init and the client on the host say to each other, and the names of the files that
 * the client hands to init. One definition for both sides.
 *
 * In a virtual machine init reaches the client over vsock. On a host, as process 1 of a container's
 * outer namespaces, it connects to the UNIX sockets that a monitor would connect for a guest, and
 * all paths below are within the instance's directory.
 *
 * Init connects to the host on the ports below; the host accepts one connection each.
 * Control carries frames: a header of two little-endian 16-bit numbers (type, payload size), then
 * the payload. Standard streams are raw bytes on connections of their own; end of file is the
 * shutdown of a direction. With a terminal, PROTOCOL_PORT_STDIN carries both directions and the
 * other two are not opened. Without -i, PROTOCOL_PORT_STDIN is not opened either, unless there is a
 * terminal.
 *
 * Order of an end: the container ends; init forwards what is left of its output and shuts the
 * streams down; it sends EXIT (or FAILURE); the host, having written everything out, answers
 * DRAINED; init rings the doorbell with DOORBELL_EXIT.
 */
#ifndef MICROVM_GUEST_PROTOCOL_H
#define MICROVM_GUEST_PROTOCOL_H

#include <stdint.h>

enum protocol_port {
    PROTOCOL_PORT_CONTROL = 1024,
    PROTOCOL_PORT_STDIN = 1025,
    PROTOCOL_PORT_STDOUT = 1026,
    PROTOCOL_PORT_STDERR = 1027,
};

enum protocol_type {
    /* guest -> host */
    PROTOCOL_STARTED = 1, /* no payload: the container's process runs */
    PROTOCOL_EXIT = 2,    /* payload: struct protocol_exit */
    PROTOCOL_FAILURE =
        3,             /* payload: struct protocol_exit, then one line of text: the runner failed */
    PROTOCOL_MARK = 4, /* payload: struct protocol_mark; only on a host: a guest has the doorbell */
    PROTOCOL_SYSCALLS = 5, /* payload: rows, see below; before EXIT, only when asked by trace=1 */
    /* host -> guest */
    PROTOCOL_SIGNAL = 16,  /* payload: struct protocol_signal */
    PROTOCOL_WINDOW = 17,  /* payload: struct protocol_window */
    PROTOCOL_DRAINED = 18, /* no payload */
};

#define PROTOCOL_PAYLOAD_MAX 1024

struct protocol_header {
    uint16_t type; /* little endian, as all numbers here */
    uint16_t size; /* bytes of payload, <= PROTOCOL_PAYLOAD_MAX */
};

struct protocol_exit {
    uint8_t status; /* as docker: the command's own, 128+N, 125-127 */
};

struct protocol_mark {
    uint8_t number; /* enum doorbell_mark */
};

struct protocol_signal {
    uint8_t number; /* Linux signal number */
};

struct protocol_window {
    uint16_t rows;
    uint16_t columns;
};

/*
 * A row of PROTOCOL_SYSCALLS, without padding: number of the system call (32 bits), how often it
 * was called, how often it failed, nanoseconds between entry and return (64 bits each). Each number
 * comes at most once; those at or above PROTOCOL_SYSCALL_NUMBERS, and calls of another
 * architecture's table, are in one row of number PROTOCOL_SYSCALL_OTHER.
 */
#define PROTOCOL_SYSCALL_SIZE    28
#define PROTOCOL_SYSCALLS_MAX    36 /* rows of a frame */
#define PROTOCOL_SYSCALL_NUMBERS 512
#define PROTOCOL_SYSCALL_OTHER   0xffffffffU

_Static_assert(PROTOCOL_SYSCALLS_MAX *PROTOCOL_SYSCALL_SIZE <= PROTOCOL_PAYLOAD_MAX, "frame size");
_Static_assert(sizeof(struct protocol_header) == 4, "wire format");
_Static_assert(sizeof(struct protocol_window) == 4, "wire format");

/*
 * Files that init finds. init.conf has lines `key=value`:
 *   terminal=0|1       the container has a terminal
 *   stdin=0|1          the host offers a stdin stream
 *   overlay=tmpfs|disk where the writable layer lives (disk: the second block device, ext4)
 *   hostname=NAME
 *   trace=0|1          count the container's system calls, and say them before EXIT
 *   runtime=PATH       the OCI runtime (default: PROTOCOL_RUNTIME)
 *   runtime_option=O   one option of the runtime, before its command; may come several times
 *   runtime_signals=0|1  signals go through the runtime's `kill` command: the process it names is
 *                      not the container's own (gVisor)
 */
#define PROTOCOL_BUNDLE_DIR "/bundle"
#define PROTOCOL_CONF_PATH  "/bundle/init.conf"
#define PROTOCOL_OCI_CONFIG "/bundle/config.json"
/*
 * What the runtime mounts on: for each a letter, its path in the container's root, and a NUL. Init
 * makes what is missing.
 */
#define PROTOCOL_TARGETS          "/bundle/targets"
#define PROTOCOL_TARGET_DIRECTORY 'd'
#define PROTOCOL_TARGET_FILE      'f'
#define PROTOCOL_ROOTFS_PATH                                                                       \
    "/bundle/rootfs" /* mounted by init, named by config.json's root.path */

#define PROTOCOL_RUNTIME "/bin/crun"
#define PROTOCOL_RUN_DIR "/run" /* of init and the runtime */
#define PROTOCOL_LOCK_FD 3 /* of init on a host: the lock of its instance, which ends with it */

#define PROTOCOL_OPEN_FILES 1048576 /* a container's limit, as docker's, where it may be had */

#define PROTOCOL_ROOT_DISK    "/dev/vda" /* squashfs, read-only */
#define PROTOCOL_READ_AHEAD   8UL        /* of a squashfs, in sectors of 512 bytes: a page */
#define PROTOCOL_OVERLAY_DISK "/dev/vdb"

#endif
