/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernels are loaded as their headers say, and no hostile header reaches outside of the guest's
 * memory. The programs of Linux's own build pack the bzImages here.
 */
#include <asm/bootparam.h>
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "vmm/arch/arch.h"
#include "vmm/base/bytes.h"
#include "vmm/base/io.h"

#define MEMORY_SIZE  (UINT64_C(64) << 20)
#define TEXT_OFFSET  0x1000U
#define TEXT_SIZE    0x2345U
#define TEXT_ADDRESS 0x1000000U
#define DATA_OFFSET  0x4800U
#define DATA_SIZE    0x200U
#define DATA_ADDRESS 0x1200800U
#define FILE_SIZE    (DATA_OFFSET + DATA_SIZE)

struct image {
    Elf64_Ehdr header;
    Elf64_Phdr segments[3];
};

struct scene {
    struct guest_memory memory;
    uint8_t file[FILE_SIZE];
    struct arch_boot boot;
    struct error err;
};

static struct image *image_of(struct scene *scene)
{
    return (struct image *)scene->file;
}

static int setup(void **state)
{
    static _Alignas(16) struct scene scene;
    struct image *image = image_of(&scene);

    memset(&scene, 0, sizeof(scene));
    arch_memory_layout(MEMORY_SIZE, &scene.memory, NULL);
    /* A page that faults on each side: an access outside of memory is detected. */
    scene.memory.regions[0].host = mmap(NULL, MEMORY_SIZE + 8192, PROT_NONE,
                                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    scene.memory.regions[0].host += 4096;
    assert_int_equal(mprotect(scene.memory.regions[0].host, MEMORY_SIZE, PROT_READ | PROT_WRITE),
                     0);
    memset(scene.file + TEXT_OFFSET, 0x90, TEXT_SIZE);
    memset(scene.file + DATA_OFFSET, 0xda, DATA_SIZE);
    memcpy(image->header.e_ident, ELFMAG, SELFMAG);
    image->header.e_ident[EI_CLASS] = ELFCLASS64;
    image->header.e_ident[EI_DATA] = ELFDATA2LSB;
    image->header.e_type = ET_EXEC;
    image->header.e_machine = EM_X86_64;
    image->header.e_phoff = offsetof(struct image, segments);
    image->header.e_phentsize = sizeof(Elf64_Phdr);
    image->header.e_phnum = 3;
    image->header.e_entry = TEXT_ADDRESS + 0x10;
    image->segments[0] = (Elf64_Phdr){.p_type = PT_LOAD,
                                      .p_offset = TEXT_OFFSET,
                                      .p_paddr = TEXT_ADDRESS,
                                      .p_filesz = TEXT_SIZE,
                                      .p_memsz = TEXT_SIZE};
    image->segments[1] = (Elf64_Phdr){.p_type = PT_NOTE, .p_paddr = 1, .p_filesz = UINT64_MAX};
    image->segments[2] = (Elf64_Phdr){.p_type = PT_LOAD,
                                      .p_offset = DATA_OFFSET,
                                      .p_paddr = DATA_ADDRESS,
                                      .p_filesz = DATA_SIZE,
                                      .p_memsz = 0x100000};
    *state = &scene;
    return 0;
}

static int teardown(void **state)
{
    struct scene *scene = *state;

    munmap(scene->memory.regions[0].host - 4096, MEMORY_SIZE + 8192);
    return 0;
}

static int file_of(const void *data, size_t size)
{
    int fd = memfd_create("test", MFD_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(io_write_all(fd, data, size), 0);
    return fd;
}

static int load_file(struct scene *scene, int fd)
{
    struct arch_boot_input input = {
        .kernel_fd = fd,
        .kernel_name = "test-kernel",
        .initramfs_fd = -1,
        .command_line = "quiet",
    };
    int unpacked = -1;
    int rc;

    scene->err = (struct error)ERROR_INIT;
    rc = arch_kernel_unpack(fd, "test-kernel", &unpacked, &scene->err);
    if (unpacked >= 0)
        input.kernel_fd = unpacked;
    if (rc == 0)
        rc = arch_boot_load(&input, &scene->memory, &scene->boot, &scene->err);
    if (unpacked >= 0)
        close(unpacked);
    close(fd);
    return rc;
}

static int load(struct scene *scene)
{
    return load_file(scene, file_of(scene->file, sizeof(scene->file)));
}

static uint8_t *at(const struct scene *scene, uint64_t address)
{
    return guest_memory_at(&scene->memory, GUEST_ADDR(address), 1);
}

static void assert_loaded(const struct scene *scene)
{
    assert_int_equal(scene->boot.entry, TEXT_ADDRESS + 0x10);
    assert_int_equal(*at(scene, TEXT_ADDRESS - 1), 0);
    assert_int_equal(*at(scene, TEXT_ADDRESS), 0x90);
    assert_int_equal(*at(scene, TEXT_ADDRESS + TEXT_SIZE - 1), 0x90);
    assert_int_equal(*at(scene, TEXT_ADDRESS + TEXT_SIZE), 0);
    assert_int_equal(*at(scene, DATA_ADDRESS), 0xda);
    assert_int_equal(*at(scene, DATA_ADDRESS + DATA_SIZE - 1), 0xda);
    assert_int_equal(*at(scene, DATA_ADDRESS + DATA_SIZE), 0);
    assert_int_equal(scene->boot.bytes_copied, TEXT_SIZE + DATA_SIZE);
}

static void segments_are_placed(void **state)
{
    struct scene *scene = *state;

    assert_int_equal(load(scene), 0);
    assert_loaded(scene);
}

static void initramfs_ends_memory(void **state)
{
    struct scene *scene = *state;
    struct arch_boot_input input = {
        .kernel_fd = file_of(scene->file, sizeof(scene->file)),
        .kernel_name = "test-kernel",
        .initramfs_fd = file_of("0123456789", 10),
        .command_line = "quiet",
    };
    const struct setup_header *header;
    const struct boot_params *zero_page;

    assert_int_equal(arch_boot_load(&input, &scene->memory, &scene->boot, &scene->err), 0);
    assert_int_equal(scene->boot.initramfs_size, 10);
    assert_int_equal(scene->boot.initramfs_base, MEMORY_SIZE - 4096);
    assert_memory_equal(at(scene, scene->boot.initramfs_base), "0123456789", 10);
    assert_int_equal(arch_boot_finish(&input, &scene->memory, 100, &scene->boot, &scene->err), 0);
    zero_page = (const struct boot_params *)at(scene, scene->boot.boot_data);
    header = &zero_page->hdr;
    assert_int_equal(header->ramdisk_image, scene->boot.initramfs_base);
    assert_int_equal(header->ramdisk_size, 10);
    assert_string_equal(at(scene, header->cmd_line_ptr), "quiet");
    assert_int_equal(((const struct setup_data *)at(scene, header->setup_data))->type, SETUP_DTB);
    assert_int_equal(((const struct setup_data *)at(scene, header->setup_data))->len, 100);
    assert_int_equal(zero_page->e820_entries, 2);
    assert_int_equal(zero_page->e820_table[1].addr + zero_page->e820_table[1].size, MEMORY_SIZE);
    close(input.kernel_fd);
    close(input.initramfs_fd);
}

static void too_long_a_command_line_is_refused(void **state)
{
    struct scene *scene = *state;
    char line[3000];
    struct arch_boot_input input = {
        .kernel_fd = -1, .kernel_name = "k", .initramfs_fd = -1, .command_line = line};

    memset(line, 'a', sizeof(line) - 1);
    line[sizeof(line) - 1] = '\0';
    assert_int_equal(arch_boot_load(&input, &scene->memory, &scene->boot, &scene->err), -E2BIG);
    line[2047] = '\0';
    assert_int_equal(arch_boot_load(&input, &scene->memory, &scene->boot, &scene->err), -EBADF);
}

static void too_little_memory_says_how_much_is_missing(void **state)
{
    struct scene *scene = *state;

    image_of(scene)->segments[2].p_memsz = MEMORY_SIZE;
    assert_int_equal(load(scene), -ENOMEM);
    assert_non_null(strstr(scene->err.text, "19 MiB more"));
    scene->memory.regions[0].size = arch_memory_minimum() - 4096;
    assert_int_equal(load(scene), -ENOMEM);
    assert_non_null(strstr(scene->err.text, "-m"));
}

/* Each breaks one field of a good image. */
static void break_class(struct image *image)
{
    image->header.e_ident[EI_CLASS] = ELFCLASS32;
}
static void break_machine(struct image *image)
{
    image->header.e_machine = EM_AARCH64;
}
static void break_type(struct image *image)
{
    image->header.e_type = ET_REL;
}
static void break_entry_size(struct image *image)
{
    image->header.e_phentsize = 1;
}
static void break_no_segments(struct image *image)
{
    image->header.e_phnum = 0;
}
static void break_many_segments(struct image *image)
{
    image->header.e_phnum = 0xffff;
}
static void break_table_outside(struct image *image)
{
    image->header.e_phoff = UINT64_MAX - 8;
}
static void break_table_at_end(struct image *image)
{
    image->header.e_phoff = 4096 - 64;
}
static void break_offset(struct image *image)
{
    image->segments[0].p_offset = UINT64_MAX - 16;
}
static void break_offset_past_end(struct image *image)
{
    image->segments[0].p_offset = FILE_SIZE + 1;
}
static void break_file_size(struct image *image)
{
    image->segments[0].p_filesz = TEXT_SIZE + 1;
}
static void break_sizes_huge(struct image *image)
{
    image->segments[0].p_filesz = UINT64_MAX;
    image->segments[0].p_memsz = UINT64_MAX;
}
static void break_past_file(struct image *image)
{
    image->segments[2].p_filesz = DATA_SIZE + 1;
}
static void break_address_low(struct image *image)
{
    image->segments[2].p_paddr = 0x7000; /* over the zero page */
}
static void break_address_high(struct image *image)
{
    image->segments[2].p_paddr = UINT64_C(0x40000000);
}
static void break_address_overflow(struct image *image)
{
    image->segments[2].p_paddr = UINT64_MAX - 4096;
}
static void break_entry(struct image *image)
{
    image->header.e_entry = DATA_ADDRESS + DATA_SIZE; /* in zeroes */
}
static void break_all_segments(struct image *image)
{
    image->segments[0].p_type = PT_NOTE;
    image->segments[2].p_type = PT_NOTE;
}

static void hostile_elf_is_refused(void **state)
{
    static void (*const breaks[])(struct image * image) = {
        break_class,       break_machine,         break_type,          break_entry_size,
        break_no_segments, break_many_segments,   break_table_outside, break_table_at_end,
        break_offset,      break_offset_past_end, break_file_size,     break_sizes_huge,
        break_past_file,   break_address_low,     break_address_high,  break_address_overflow,
        break_entry,       break_all_segments,
    };
    struct scene *scene = *state;
    const struct image good = *image_of(scene);

    for (size_t i = 0; i < ARRAY_LENGTH(breaks); i++) {
        *image_of(scene) = good;
        breaks[i](image_of(scene));
        if (load(scene) != -ENOEXEC)
            fail_msg("image %zu: '%s'", i, scene->err.text);
        assert_non_null(strstr(scene->err.text, "test-kernel"));
    }
}

static void other_files_are_refused(void **state)
{
    struct scene *scene = *state;

    assert_int_equal(load_file(scene, file_of("", 0)), -ENOEXEC);
    assert_int_equal(load_file(scene, file_of("\177ELF", 4)), -ENOEXEC);
    assert_int_equal(load_file(scene, file_of("#!/bin/sh\n", 10)), -ENOEXEC);
    assert_non_null(strstr(scene->err.text, "is not a kernel"));
    assert_int_equal(load_file(scene, file_of(scene->file, TEXT_OFFSET + 7)), -ENOEXEC);
    assert_non_null(strstr(scene->err.text, "is truncated"));
}

/* ---- bzImage ---- */

#define SETUP_SIZE 1024U /* boot sector and one more */

struct packed {
    uint8_t data[65536];
    size_t size;
    struct setup_header *setup;
};

static void pack(struct scene *scene, const char *command, bool trailer, struct packed *packed)
{
    char path[] = "/tmp/microvm-loader-XXXXXX";
    char line[128];
    FILE *out;
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(io_write_all(fd, scene->file, sizeof(scene->file)), 0);
    close(fd);
    memset(packed, 0, sizeof(*packed));
    packed->setup = (struct setup_header *)(packed->data + 0x1f1);
    packed->setup->setup_sects = 1;
    packed->setup->boot_flag = 0xaa55;
    packed->setup->header = 0x53726448;
    packed->setup->version = 0x020f;
    packed->setup->payload_offset = 64; /* of code of the unpacker */
    snprintf(line, sizeof(line), "{ %s; } <%s", command, path);
    out = popen(line, "r");
    assert_non_null(out);
    packed->size = SETUP_SIZE + 64;
    packed->size += fread(packed->data + packed->size, 1, sizeof(packed->data) - packed->size, out);
    assert_int_equal(pclose(out), 0);
    unlink(path);
    if (trailer) {
        store_le32(packed->data + packed->size, FILE_SIZE);
        packed->size += 4;
    }
    packed->setup->payload_length = (uint32_t)(packed->size - SETUP_SIZE - 64);
    packed->size += 512; /* more code after the payload */
}

static void bzimages_are_unpacked(void **state)
{
    static const struct {
        const char *command;
        bool trailer;
    } ways[] = {
        {"gzip -n -9", false},
        {"lz4 -l -9 - -", true},
        {"zstd -19 -q", true},
        {"xz --check=crc32 --x86 --lzma2=dict=1MiB", true},
    };
    struct scene *scene = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(ways); i++) {
        static struct packed packed;

        pack(scene, ways[i].command, ways[i].trailer, &packed);
        memset(at(scene, TEXT_ADDRESS), 0, TEXT_SIZE);
        memset(at(scene, DATA_ADDRESS), 0, DATA_SIZE);
        if (load_file(scene, file_of(packed.data, packed.size)) != 0)
            fail_msg("%s: '%s'", ways[i].command, scene->err.text);
        assert_loaded(scene);
    }
}

static void damaged_bzimages_are_refused(void **state)
{
    static struct packed packed;
    struct scene *scene = *state;
    uint8_t *payload = packed.data + SETUP_SIZE + 64;

    pack(scene, "gzip -n -9", false, &packed);
    payload[20] ^= 0xff;
    assert_int_equal(load_file(scene, file_of(packed.data, packed.size)), -ENOEXEC);
    assert_non_null(strstr(scene->err.text, "damaged"));
    memcpy(payload, "BZh9", 4);
    assert_int_equal(load_file(scene, file_of(packed.data, packed.size)), -ENOEXEC);
    assert_non_null(strstr(scene->err.text, "unknown compression"));
    pack(scene, "gzip -n -9", false, &packed);
    packed.setup->payload_length = UINT32_MAX;
    assert_int_equal(load_file(scene, file_of(packed.data, packed.size)), -ENOEXEC);
    packed.setup->payload_length = 7;
    assert_int_equal(load_file(scene, file_of(packed.data, packed.size)), -ENOEXEC);
    packed.setup->payload_length = 100;
    packed.setup->payload_offset = UINT32_MAX;
    assert_int_equal(load_file(scene, file_of(packed.data, packed.size)), -ENOEXEC);
    assert_non_null(strstr(scene->err.text, "is truncated"));
    packed.setup->version = 0x0207;
    assert_int_equal(load_file(scene, file_of(packed.data, packed.size)), -ENOEXEC);
    /* The payload unpacks, but not to a kernel. */
    pack(scene, "tr '\\0-\\377' x | gzip -n", false, &packed);
    assert_int_equal(load_file(scene, file_of(packed.data, packed.size)), -ENOEXEC);
    assert_non_null(strstr(scene->err.text, "is not a kernel"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(segments_are_placed, setup, teardown),
        cmocka_unit_test_setup_teardown(initramfs_ends_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(too_long_a_command_line_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(too_little_memory_says_how_much_is_missing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(hostile_elf_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(other_files_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(bzimages_are_unpacked, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_bzimages_are_refused, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
