/* SPDX-License-Identifier: Apache-2.0 */
/* See fake_kvm.h. The C library's open(), access() and ioctl() are taken over; arch_kvm_class() is,
 * by the linker's --wrap. */
#include "tests/faults/fake_kvm.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_mmio.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/arch/arch.h"

#define RUN_SIZE      8192
#define DATA_OFFSET   4096 /* of a port's data in kvm_run's mapping */
#define VCPUS_MAX     64
#define IOEVENTFD_MAX 64
#define SLOTS_MAX     4

static struct {
    int fd;
    struct kvm_run *run;
} vcpus[VCPUS_MAX];
static unsigned vcpu_count;
static struct kvm_ioeventfd ioeventfds[IOEVENTFD_MAX];
static unsigned ioeventfd_count;
static struct kvm_userspace_memory_region slots[SLOTS_MAX];
static unsigned slot_count;

int ioctl(int fd, unsigned long request, ...);
int open(const char *path, int flags, ...);
int access(const char *path, int mode);
enum arch_kvm_class __wrap_arch_kvm_class(void);

enum arch_kvm_class __wrap_arch_kvm_class(void)
{
    return ARCH_KVM_HARDWARE;
}

static int new_descriptor(const char *name, long size)
{
    int fd = memfd_create(name, MFD_CLOEXEC);

    if (fd >= 0 && ftruncate(fd, size) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

int open(const char *path, int flags, ...)
{
    mode_t mode = 0;

    if (flags & (O_CREAT | O_TMPFILE)) {
        va_list arguments;

        va_start(arguments, flags);
        mode = va_arg(arguments, mode_t);
        va_end(arguments);
    }
    if (strcmp(path, "/dev/kvm") == 0)
        return new_descriptor("kvm", 0);
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int access(const char *path, int mode)
{
    if (strcmp(path, "/dev/kvm") == 0)
        return 0;
    return (int)syscall(SYS_faccessat, AT_FDCWD, path, mode);
}

static int create_vcpu(void)
{
    int fd = new_descriptor("vcpu", RUN_SIZE);
    void *run =
        fd < 0 ? MAP_FAILED : mmap(NULL, RUN_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (run == MAP_FAILED || vcpu_count == VCPUS_MAX) {
        if (fd >= 0)
            close(fd);
        errno = ENOMEM;
        return -1;
    }
    vcpus[vcpu_count].fd = fd;
    vcpus[vcpu_count].run = run;
    vcpu_count++;
    return fd;
}

static int run_vcpu(int fd)
{
    for (unsigned i = 0; i < vcpu_count; i++) {
        struct kvm_run *run = vcpus[i].run;
        int rc;

        if (vcpus[i].fd != fd)
            continue;
        if (__atomic_load_n(&run->immediate_exit, __ATOMIC_ACQUIRE)) {
            errno = EINTR;
            return -1;
        }
        rc = fake_guest_run(i, run);
        errno = -rc;
        return rc < 0 ? -1 : 0;
    }
    errno = EBADF;
    return -1;
}

/* A VM is made: what an earlier one of this process has left is forgotten. */
static int create_vm(void)
{
    for (unsigned i = 0; i < vcpu_count; i++)
        munmap(vcpus[i].run, RUN_SIZE);
    vcpu_count = ioeventfd_count = slot_count = 0;
    return new_descriptor("vm", 0);
}

static int answer(int fd, unsigned long request, void *argument)
{
    switch (request) {
    case KVM_GET_API_VERSION:
        return KVM_API_VERSION;
    case KVM_CHECK_EXTENSION:
        return VCPUS_MAX;
    case KVM_GET_VCPU_MMAP_SIZE:
        return RUN_SIZE;
    case KVM_CREATE_VM:
        return create_vm();
    case KVM_CREATE_VCPU:
        return create_vcpu();
    case KVM_RUN:
        return run_vcpu(fd);
    case KVM_IOEVENTFD:
        if (ioeventfd_count < IOEVENTFD_MAX)
            memcpy(&ioeventfds[ioeventfd_count++], argument, sizeof(ioeventfds[0]));
        return 0;
    case KVM_SET_USER_MEMORY_REGION:
        if (slot_count < SLOTS_MAX)
            memcpy(&slots[slot_count++], argument, sizeof(slots[0]));
        return 0;
#ifdef __x86_64__
    case KVM_GET_SUPPORTED_CPUID:
        memset(argument, 0, sizeof(struct kvm_cpuid2)); /* no leaf at all */
        return 0;
    case KVM_GET_LAPIC:
        memset(argument, 0, sizeof(struct kvm_lapic_state));
        return 0;
    case KVM_GET_SREGS:
        memset(argument, 0, sizeof(struct kvm_sregs));
        return 0;
    case KVM_GET_REGS:
        memset(argument, 0, sizeof(struct kvm_regs));
        return 0;
#endif
    default:
        return 0;
    }
}

int ioctl(int fd, unsigned long request, ...)
{
    va_list arguments;
    void *argument;

    va_start(arguments, request);
    argument = va_arg(arguments, void *);
    va_end(arguments);
    if (_IOC_TYPE(request) == KVMIO)
        return answer(fd, request, argument);
    return (int)syscall(SYS_ioctl, fd, request, argument);
}

void fake_exit_mmio(struct kvm_run *run, uint64_t address, uint32_t size, const void *write)
{
    run->exit_reason = KVM_EXIT_MMIO;
    run->mmio.phys_addr = address;
    run->mmio.len = size;
    run->mmio.is_write = write != NULL;
    if (write)
        memcpy(run->mmio.data, write, size);
}

void fake_exit_port(struct kvm_run *run, uint16_t port, uint32_t size, const void *write)
{
    run->exit_reason = KVM_EXIT_IO;
    run->io.direction = write ? KVM_EXIT_IO_OUT : KVM_EXIT_IO_IN;
    run->io.size = (uint8_t)size;
    run->io.port = port;
    run->io.count = 1;
    run->io.data_offset = DATA_OFFSET;
    if (write)
        memcpy((uint8_t *)run + DATA_OFFSET, write, size);
}

void *fake_guest_memory(uint64_t address, uint64_t size)
{
    for (unsigned i = 0; i < slot_count; i++) {
        uint64_t offset = address - slots[i].guest_phys_addr;

        if (offset < slots[i].memory_size && size <= slots[i].memory_size - offset)
            return (uint8_t *)(uintptr_t)slots[i].userspace_addr + offset;
    }
    return NULL;
}

int fake_ioeventfd(uint64_t base, uint32_t queue)
{
    const uint64_t one = 1;

    for (unsigned i = 0; i < ioeventfd_count; i++) {
        if (ioeventfds[i].addr == base + VIRTIO_MMIO_QUEUE_NOTIFY &&
            ioeventfds[i].datamatch == queue)
            return write(ioeventfds[i].fd, &one, sizeof(one)) == sizeof(one);
    }
    return 0;
}
