/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Load an uncompressed Linux (vmlinux) from its ELF program headers.
 *
 * The file is not trusted: each header is copied once, sizes are subtracted before they are
 * compared, and a segment must lie entirely between 1 MiB and `limit` in one region of memory.
 */
#include <elf.h>
#include <errno.h>
#include <string.h>

#include "vmm/arch/x86_64/elf.h"
#include "vmm/arch/x86_64/guest_file.h"
#include "vmm/arch/x86_64/layout.h"

#define SEGMENTS_MAX 32

bool elf_is_kernel(const uint8_t *head, size_t size)
{
    return size >= SELFMAG && memcmp(head, ELFMAG, SELFMAG) == 0;
}

static int not_kernel(struct error *err, const char *name, const char *why)
{
    return error_set(err, ENOEXEC,
                     "%s: is not a bootable kernel (%s); give a vmlinux or a bzImage for "
                     "x86_64",
                     name, why);
}

/* Copies header and program headers from the start of the file. */
static int read_headers(const char *name, const uint8_t *head, size_t head_size, Elf64_Ehdr *header,
                        Elf64_Phdr segments[SEGMENTS_MAX], struct error *err)
{
    size_t size;

    if (head_size < sizeof(*header))
        return not_kernel(err, name, "cut short");
    memcpy(header, head, sizeof(*header));
    if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB ||
        header->e_machine != EM_X86_64)
        return not_kernel(err, name, "made for another processor");
    if (header->e_type != ET_EXEC && header->e_type != ET_DYN)
        return not_kernel(err, name, "an object file, not a linked kernel");
    if (header->e_phentsize != sizeof(Elf64_Phdr) || header->e_phnum == 0 ||
        header->e_phnum > SEGMENTS_MAX)
        return not_kernel(err, name, "invalid program headers");
    size = header->e_phnum * sizeof(Elf64_Phdr);
    if (header->e_phoff > head_size || size > head_size - header->e_phoff)
        return not_kernel(err, name, "program headers not at the start of the file");
    memcpy(segments, head + header->e_phoff, size);
    return 0;
}

static int load_segment(int fd, const char *name, const Elf64_Phdr *segment,
                        const struct guest_memory *memory, uint64_t limit, struct arch_boot *boot,
                        struct error *err)
{
    if (segment->p_filesz > segment->p_memsz || segment->p_offset > INT64_MAX - segment->p_filesz)
        return not_kernel(err, name, "a segment of invalid size");
    if (segment->p_paddr < LAYOUT_KERNEL || segment->p_paddr >= LAYOUT_IDENTITY_END ||
        segment->p_memsz > LAYOUT_IDENTITY_END - segment->p_paddr)
        return not_kernel(err, name, "a segment not between 1 MiB and 1 GiB of memory");
    if (segment->p_paddr >= limit || segment->p_memsz > limit - segment->p_paddr)
        return error_set(
            err, ENOMEM,
            "%s: the kernel and its initramfs do not fit in memory: %llu MiB more are "
            "needed (option -m)",
            name,
            (unsigned long long)((segment->p_paddr + segment->p_memsz - limit + 0xfffff) >> 20));
    if (!guest_memory_at(memory, GUEST_ADDR(segment->p_paddr), segment->p_memsz))
        return not_kernel(err, name, "a segment outside of memory");
    /* The rest of the segment is zero already: fresh memory. */
    return guest_file_read(fd, name, segment->p_offset, segment->p_filesz, memory, segment->p_paddr,
                           boot, err);
}

int elf_load(int fd, const char *name, const uint8_t *head, size_t head_size,
             const struct guest_memory *memory, uint64_t limit, struct arch_boot *boot,
             struct error *err)
{
    Elf64_Ehdr header = {0};
    Elf64_Phdr segments[SEGMENTS_MAX] = {0};
    bool entry_inside = false;
    int rc = read_headers(name, head, head_size, &header, segments, err);

    if (rc < 0)
        return rc;
    for (unsigned i = 0; i < header.e_phnum; i++) {
        const Elf64_Phdr *segment = &segments[i];

        if (segment->p_type != PT_LOAD || segment->p_memsz == 0)
            continue;
        rc = load_segment(fd, name, segment, memory, limit, boot, err);
        if (rc < 0)
            return rc;
        if (header.e_entry >= segment->p_paddr &&
            header.e_entry - segment->p_paddr < segment->p_filesz)
            entry_inside = true;
    }
    if (!entry_inside)
        return not_kernel(err, name, "its entry is outside of its segments");
    boot->entry = header.e_entry;
    return 0;
}
