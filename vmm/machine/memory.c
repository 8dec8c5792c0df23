/* SPDX-License-Identifier: Apache-2.0 */
/* Guest memory; see memory.h. */
#include "vmm/machine/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/arch/arch.h"
#include "vmm/base/bytes.h"

/* Host and guest addresses have the same low bits, so that a huge page of the host is one of the
 * guest. */
#define HUGE_PAGE (UINT64_C(2) << 20)

static int map_failed(uint64_t size, struct error *err)
{
    return error_set_errno(err, errno, "memory: %llu MiB for the guest (option -m)",
                           (unsigned long long)(size >> 20));
}

/* Maps, or with PROT_NONE reserves, `size` bytes, plus what aligning them takes. */
static int reserve(uint64_t size, int protection, struct machine_memory *memory, uint8_t **aligned,
                   struct error *err)
{
    size_t mapping_size = size + HUGE_PAGE;
    void *mapping =
        mmap(NULL, mapping_size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    uintptr_t address = (uintptr_t)mapping;

    if (mapping == MAP_FAILED)
        return map_failed(size, err);
    memory->mapping = mapping;
    memory->mapping_size = mapping_size;
    *aligned = (uint8_t *)mapping + (align_up(address, HUGE_PAGE) - address);
    return 0;
}

static int map_anonymous(uint64_t size, struct machine_memory *memory, uint8_t **at,
                         struct error *err)
{
    int rc = reserve(size, PROT_READ | PROT_WRITE, memory, at, err);

    if (rc < 0)
        return rc;
    madvise(*at, size, MADV_HUGEPAGE); /* optional: fails where the host has none */
    return 0;
}

static int map_file(int fd, int flags, uint64_t size, struct machine_memory *memory, uint8_t **at,
                    struct error *err)
{
    int rc = reserve(size, PROT_NONE, memory, at, err);

    if (rc < 0)
        return rc;
    if (mmap(*at, size, PROT_READ | PROT_WRITE, flags | MAP_FIXED | MAP_NORESERVE, fd, 0) ==
        MAP_FAILED)
        return map_failed(size, err);
    return 0;
}

static int map_memfd(uint64_t size, struct machine_memory *memory, uint8_t **at, struct error *err)
{
    /* F_SEAL_SEAL, so that no other owner of the file can forbid writing to it. */
    const int seals = F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;
    int fd = memfd_create("guest memory", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0)
        return error_set_errno(err, errno, "memory: memfd_create");
    memory->guest.shared = true;
    memory->guest.fd = fd;
    if (ftruncate(fd, (off_t)size) < 0)
        return map_failed(size, err);
    if (fcntl(fd, F_ADD_SEALS, seals) < 0)
        return error_set_errno(err, errno, "memory: F_ADD_SEALS");
    return map_file(fd, MAP_SHARED, size, memory, at, err);
}

/* An access beyond the end of the file raises a signal. */
static int check_file(int fd, uint64_t size, struct error *err)
{
    struct stat status;

    if (fstat(fd, &status) < 0)
        return error_set_errno(err, errno, "cannot find its size");
    if (status.st_size < 0 || (uint64_t)status.st_size < size)
        return error_set(err, EINVAL,
                         "it holds %lld bytes, and the guest's memory %llu (option -m)",
                         (long long)status.st_size, (unsigned long long)size);
    return 0;
}

static int map_backing(enum machine_memory_backing backing, int file_fd, uint64_t size,
                       struct machine_memory *memory, uint8_t **at, struct error *err)
{
    int rc;

    switch (backing) {
    case MACHINE_MEMORY_MEMFD:
        return map_memfd(size, memory, at, err);
    case MACHINE_MEMORY_FILE:
        rc = check_file(file_fd, size, err);
        return rc < 0 ? rc : map_file(file_fd, MAP_PRIVATE, size, memory, at, err);
    case MACHINE_MEMORY_ANONYMOUS:
        break;
    }
    return map_anonymous(size, memory, at, err);
}

int memory_create(uint64_t bytes, enum machine_memory_backing backing, int file_fd,
                  struct machine_memory *memory, struct error *err)
{
    struct guest_memory *guest = &memory->guest;
    uint64_t total;
    uint8_t *at = NULL;
    int rc = arch_memory_layout(bytes, guest, err);

    if (rc < 0)
        return rc;
    total = guest_memory_offset(guest, guest->count);
    rc = map_backing(backing, file_fd, total, memory, &at, err);
    if (rc < 0) {
        memory_destroy(memory);
        return rc;
    }
    madvise(at, total, MADV_DONTDUMP);
    for (unsigned i = 0; i < guest->count; i++) {
        guest->regions[i].host = at;
        at += guest->regions[i].size;
    }
    return 0;
}

int memory_attach(const struct machine_memory *memory, int vm_fd, struct error *err)
{
    for (unsigned i = 0; i < memory->guest.count; i++) {
        const struct guest_memory_region *region = &memory->guest.regions[i];
        struct kvm_userspace_memory_region slot = {
            .slot = i,
            .guest_phys_addr = region->base,
            .memory_size = region->size,
            .userspace_addr = (uintptr_t)region->host,
        };

        if (ioctl(vm_fd, KVM_SET_USER_MEMORY_REGION, &slot) < 0)
            return error_set_errno(err, errno, "KVM_SET_USER_MEMORY_REGION");
    }
    return 0;
}

void memory_destroy(struct machine_memory *memory)
{
    if (memory->mapping)
        munmap(memory->mapping, memory->mapping_size);
    if (memory->guest.shared)
        close(memory->guest.fd);
    *memory = (struct machine_memory){0};
}
