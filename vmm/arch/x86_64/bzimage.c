/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Extract the compressed ELF kernel from a bzImage (Documentation/x86/boot.rst of Linux:
 * payload_offset, payload_length; protocol 2.08 and later).
 *
 * microvm-import unpacks the payload, confined as for archives: it gets two anonymous files and
 * nothing else. So no decompressor is linked into the monitor. Linux appends the unpacked size to
 * all formats except gzip, which ends with it anyway; those four bytes are not part of the stream.
 */
#include <asm/bootparam.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/arch/arch.h"
#include "vmm/arch/x86_64/bzimage.h"
#include "vmm/base/bytes.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/io.h"
#include "vmm/base/program_file.h"
#include "vmm/base/spawn.h"

#define SETUP_HEADER_OFFSET 0x1f1U
#define SETUP_MAGIC         0x53726448U /* "HdrS" */
#define SETUP_BOOT_FLAG     0xaa55U
#define SETUP_VERSION_MIN   0x0208U
#define SECTOR              512U

struct compression {
    const char *name;
    uint8_t magic[4];
    unsigned trailer; /* bytes after the stream */
};

static const struct compression compressions[] = {
    {"gzip", {0x1f, 0x8b, 0x08}, 0},
    {"lz4", {0x02, 0x21, 0x4c, 0x18}, 4},
    {"zstd", {0x28, 0xb5, 0x2f, 0xfd}, 4},
    {"xz", {0xfd, '7', 'z', 'X'}, 4},
};

static void read_setup(const uint8_t *head, struct setup_header *setup)
{
    memcpy(setup, head + SETUP_HEADER_OFFSET, sizeof(*setup));
}

bool bzimage_is_kernel(const uint8_t *head, size_t size)
{
    struct setup_header setup;

    if (size < SETUP_HEADER_OFFSET + sizeof(setup))
        return false;
    read_setup(head, &setup);
    return setup.boot_flag == SETUP_BOOT_FLAG && setup.header == SETUP_MAGIC;
}

/* kernel_version of boot protocol 2.00: the offset of the text, minus the 512 bytes of the boot
 * sector. */
size_t arch_kernel_version_at(const uint8_t *image, size_t size)
{
    const size_t magic = SETUP_HEADER_OFFSET + offsetof(struct setup_header, header);
    const size_t version = SETUP_HEADER_OFFSET + offsetof(struct setup_header, kernel_version);
    size_t at;

    if (size < version + sizeof(uint16_t) || load_le32(image + magic) != SETUP_MAGIC)
        return 0;
    at = SECTOR + load_le16(image + version);
    return at > SECTOR && at < size ? at : 0;
}

static const struct compression *find_compression(const uint8_t magic[4])
{
    for (size_t i = 0; i < ARRAY_LENGTH(compressions); i++) {
        size_t size = compressions[i].magic[3] ? 4 : 3;

        if (memcmp(magic, compressions[i].magic, size) == 0)
            return &compressions[i];
    }
    return NULL;
}

static int unpack(const char *name, const char *format, int input, int output, struct error *err)
{
    AUTO_FREE char *program = NULL;
    struct spawn spawn = {.descriptor_count = 3};
    int rc = program_file_find(&program_file_import, NULL, &program, err);

    if (rc < 0)
        return error_wrap(err, rc, "%s: cannot unpack it", name);
    spawn.program = program;
    spawn.arguments = (const char *const[]){program, "unpack-kernel", NULL};
    /* Its messages are dropped. */
    spawn.descriptors = (const struct spawn_descriptor[]){{0, input}, {1, output}, {2, input}};
    rc = spawn_run(&spawn, err);
    if (rc == -EIO)
        return error_set(err, ENOEXEC, "%s: its %s payload is damaged", name, format);
    return rc < 0 ? error_wrap(err, rc, "%s: cannot unpack it", name) : 0;
}

/* A new file with `size` bytes of `fd` from `offset`, its position at the start; or -errno. */
static int copy_payload(int fd, uint64_t offset, uint64_t size)
{
    AUTO_CLOSE int file = memfd_create("kernel-payload", MFD_CLOEXEC);
    off_t at = (off_t)offset;

    if (file < 0)
        return -errno;
    while (size > 0) {
        ssize_t count = sendfile(file, fd, &at, size);

        if (count < 0)
            return -errno;
        if (count == 0)
            return -ENODATA;
        size -= (uint64_t)count;
    }
    if (lseek(file, 0, SEEK_SET) < 0)
        return -errno;
    return steal_fd(&file);
}

int bzimage_unpack(int fd, const char *name, const uint8_t head[BZIMAGE_HEAD_SIZE], int *elf_fd,
                   struct error *err)
{
    AUTO_CLOSE int payload = -1;
    AUTO_CLOSE int output = -1;
    const struct compression *compression;
    struct setup_header setup;
    struct stat status;
    uint8_t magic[4];
    uint64_t offset;
    uint64_t sectors;
    int rc;

    read_setup(head, &setup);
    if (setup.version < SETUP_VERSION_MIN)
        return error_set(err, ENOEXEC, "%s: is a bzImage of a Linux older than 2.6.24", name);
    if (fstat(fd, &status) < 0)
        return error_set_errno(err, errno, "%s", name);
    sectors = setup.setup_sects ? setup.setup_sects : 4;
    offset = (sectors + 1) * SECTOR + setup.payload_offset;
    if (setup.payload_length < 8 || offset > (uint64_t)status.st_size ||
        setup.payload_length > (uint64_t)status.st_size - offset)
        return error_set(err, ENOEXEC, "%s: is truncated: its payload is not all in the file",
                         name);
    if (io_pread_full(fd, magic, sizeof(magic), (off_t)offset) != (ssize_t)sizeof(magic))
        return error_set(err, EIO, "%s: cannot read it", name);
    compression = find_compression(magic);
    if (!compression)
        return error_set(err, ENOEXEC,
                         "%s: has an unknown compression (known: gzip, lz4, "
                         "zstd, xz)",
                         name);
    payload = copy_payload(fd, offset, setup.payload_length - compression->trailer);
    if (payload < 0)
        return error_set_errno(err, -payload, "%s: cannot read it", name);
    output = memfd_create("kernel", MFD_CLOEXEC);
    if (output < 0)
        return error_set_errno(err, errno, "%s: no memory to unpack it", name);
    rc = unpack(name, compression->name, payload, output, err);
    if (rc < 0)
        return rc;
    *elf_fd = steal_fd(&output);
    return 0;
}
