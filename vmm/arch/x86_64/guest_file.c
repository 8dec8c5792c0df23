/* SPDX-License-Identifier: Apache-2.0 */
/* Read a file into guest memory; see guest_file.h. */
#include "vmm/arch/x86_64/guest_file.h"

#include <errno.h>

#include "vmm/base/io.h"

int guest_file_read(int fd, const char *name, uint64_t offset, uint64_t size,
                    const struct guest_memory *memory, uint64_t address, struct arch_boot *boot,
                    struct error *err)
{
    uint8_t *host;
    ssize_t count;

    if (size == 0)
        return 0;
    host = guest_memory_at(memory, GUEST_ADDR(address), size);
    if (!host)
        return error_set(err, ENOMEM, "%s: does not fit in memory", name);
    count = io_pread_full(fd, host, size, (off_t)offset);
    if (count < 0)
        return error_set_errno(err, (int)-count, "%s", name);
    if ((uint64_t)count < size)
        return error_set(err, ENOEXEC, "%s: is truncated", name);
    boot->bytes_copied += size;
    return 0;
}
