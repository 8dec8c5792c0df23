/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: guest memory; see memory.h. */
#include "vmm/machine/memory.h"

#include <errno.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "vmm/arch/arch.h"
#include "vmm/base/bytes.h"

/* Host and guest addresses agree in their low bits, so that a huge page here is one there. */
#define HUGE_PAGE (UINT64_C(2) << 20)

int memory_create(uint64_t bytes, struct machine_memory *memory, struct error *err)
{
    struct guest_memory *guest = &memory->guest;
    uint64_t total = 0;
    uintptr_t address;
    uint8_t *at;
    int rc = arch_memory_layout(bytes, guest, err);

    if (rc < 0)
        return rc;
    for (unsigned i = 0; i < guest->count; i++)
        total += guest->regions[i].size;
    memory->mapping_size = total + HUGE_PAGE;
    memory->mapping = mmap(NULL, memory->mapping_size, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory->mapping == MAP_FAILED) {
        memory->mapping = NULL;
        return error_set_errno(err, errno, "memory: %llu MiB for the guest (option -m)",
                               (unsigned long long)(total >> 20));
    }
    address = (uintptr_t)memory->mapping;
    at = (uint8_t *)memory->mapping + (align_up(address, HUGE_PAGE) - address);
    madvise(at, total, MADV_HUGEPAGE); /* a wish: fails where the host has none */
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
    *memory = (struct machine_memory){0};
}
