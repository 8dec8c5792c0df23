/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: machine.json survives the way there and back; whatever is not one is refused. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/unit.h"
#include "vmm/base/bytes.h"
#include "vmm/machine/spec.h"

static void full_spec_survives(void **state)
{
    char kernel[] = "/boot/vm \"linux\"";
    char line[] = "quiet loglevel=7";
    char disk[] = "/tmp/disk";
    struct machine_spec spec = {
        .memory_bytes = UINT64_C(5) << 30,
        .vcpu_count = 64,
        .kernel_path = kernel,
        .command_line = line,
        .disks = {{.path = disk, .read_only = true, .serial = "12345678901234567890"},
                  {.path = disk, .read_only = false, .serial = ""}},
        .disk_count = 2,
        .vsock = true,
        .earlycon = true,
        .timed = true,
    };
    struct machine_spec back;
    struct error err = ERROR_INIT;
    char *json = NULL;

    (void)state;
    assert_int_equal(machine_spec_to_json(&spec, &json, &err), 0);
    assert_int_equal(machine_spec_from_json(json, &back, &err), 0);
    free(json);
    assert_true(back.memory_bytes == spec.memory_bytes);
    assert_int_equal(back.vcpu_count, 64);
    assert_string_equal(back.kernel_path, kernel);
    assert_null(back.initramfs_path);
    assert_null(back.initramfs_tail_path);
    assert_string_equal(back.command_line, line);
    assert_int_equal(back.disk_count, 2);
    assert_true(back.disks[0].read_only);
    assert_string_equal(back.disks[0].serial, "12345678901234567890");
    assert_false(back.disks[1].read_only);
    assert_true(back.vsock);
    assert_false(back.console_attached);
    assert_true(back.earlycon);
    assert_true(back.timed);
    assert_false(back.narrated);
    machine_spec_clear(&back);
    assert_null(back.kernel_path);
}

static void each_memory_backing_survives(void **state)
{
    char path[] = "/tmp/memory";
    const struct machine_spec specs[] = {
        {.memory_bytes = 1, .vcpu_count = 1},
        {.memory_bytes = 1, .vcpu_count = 1, .memory_backing = MACHINE_MEMORY_MEMFD},
        {.memory_bytes = 1,
         .vcpu_count = 1,
         .memory_backing = MACHINE_MEMORY_FILE,
         .memory_path = path},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(specs); i++) {
        struct machine_spec back;
        char *json = NULL;

        assert_int_equal(machine_spec_to_json(&specs[i], &json, NULL), 0);
        assert_int_equal(machine_spec_from_json(json, &back, NULL), 0);
        free(json);
        assert_int_equal(back.memory_backing, specs[i].memory_backing);
        if (specs[i].memory_path)
            assert_string_equal(back.memory_path, path);
        else
            assert_null(back.memory_path);
        machine_spec_clear(&back);
    }
}

static void path_that_is_not_utf8_is_an_error(void **state)
{
    char kernel[] = "/boot/\xff";
    struct machine_spec spec = {.memory_bytes = 1, .vcpu_count = 1, .kernel_path = kernel};
    struct error err = ERROR_INIT;
    char *json = NULL;

    (void)state;
    assert_int_equal(machine_spec_to_json(&spec, &json, &err), -EILSEQ);
    assert_null(json);
    assert_int_equal(strncmp(err.text, "kernel: byte 0xff at offset 6 of ", 33), 0);
}

#define MEMORY "\"memory_bytes\":1,\"memory_backing\":\"anonymous\",\"memory_path\":null,"
#define REST                                                                                       \
    "\"kernel_path\":\"k\",\"initramfs_path\":null,\"initramfs_tail_path\":null,"                  \
    "\"command_line\":null,\"vsock\":false,\"console_attached\":false,\"earlycon\":false,"         \
    "\"timed\":false,\"narrated\":false"

static void others_are_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "null",
        "{}",
        "{" MEMORY "\"vcpu_count\":0,\"disks\":[]," REST "}",
        "{" MEMORY "\"vcpu_count\":65,\"disks\":[]," REST "}",
        "{\"memory_bytes\":0,\"memory_backing\":\"anonymous\",\"memory_path\":null,\"vcpu_count\":"
        "1,\"disks\":[]," REST "}",
        "{\"memory_bytes\":-1,\"memory_backing\":\"anonymous\",\"memory_path\":null,\"vcpu_count\":"
        "1,\"disks\":[]," REST "}",
        "{\"memory_bytes\":\"1\",\"memory_backing\":\"anonymous\",\"memory_path\":null,\"vcpu_"
        "count\":1,\"disks\":[]," REST "}",
        "{" MEMORY "\"vcpu_count\":1,\"disks\":[],\"more\":1," REST "}",
        "{" MEMORY "\"vcpu_count\":1,\"disks\":{}," REST "}",
        "{" MEMORY "\"vcpu_count\":1,\"disks\":[1]," REST "}",
        "{" MEMORY "\"vcpu_count\":1,\"disks\":[{\"path\":\"p\",\"read_only\":true,"
        "\"serial\":\"123456789012345678901\"}]," REST "}",
        "{" MEMORY "\"vcpu_count\":1,\"disks\":[{\"path\":\"p\",\"read_only\":1,"
        "\"serial\":\"\"}]," REST "}",
        "{" MEMORY "\"vcpu_count\":1,\"disks\":[1,2,3,4,5,6,7,8,9]," REST "}",
        "{\"memory_bytes\":1,\"memory_backing\":\"none\",\"memory_path\":null,\"vcpu_count\":1,"
        "\"disks\":[]," REST "}",
        "{\"memory_bytes\":1,\"memory_backing\":\"file\",\"memory_path\":null,\"vcpu_count\":1,"
        "\"disks\":[]," REST "}",
        "{\"memory_bytes\":1,\"memory_backing\":\"memfd\",\"memory_path\":\"m\",\"vcpu_count\":1,"
        "\"disks\":[]," REST "}",
        "{\"memory_bytes\":1,\"memory_backing\":\"file\",\"memory_path\":1,\"vcpu_count\":1,"
        "\"disks\":[]," REST "}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        struct machine_spec spec;
        struct error err = ERROR_INIT;

        assert_int_equal(machine_spec_from_json(texts[i], &spec, &err), -EINVAL);
        assert_string_not_equal(err.text, "");
    }
}

static void smallest_is_accepted(void **state)
{
    struct machine_spec spec;

    (void)state;
    assert_int_equal(
        machine_spec_from_json("{" MEMORY "\"vcpu_count\":1,\"disks\":[]," REST "}", &spec, NULL),
        0);
    machine_spec_clear(&spec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_spec_survives),
        cmocka_unit_test(each_memory_backing_survives),
        cmocka_unit_test(path_that_is_not_utf8_is_an_error),
        cmocka_unit_test(others_are_refused),
        cmocka_unit_test(smallest_is_accepted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
