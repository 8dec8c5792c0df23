/* SPDX-License-Identifier: Apache-2.0 */
/* The description of a VM survives encoding and decoding; invalid ones are refused. */
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
        .memory_backing = MACHINE_MEMORY_MEMFD,
        .vcpu_count = 64,
        .kernel_name = kernel,
        .command_line = line,
        .disks = {{.descriptor = "disk0",
                   .name = disk,
                   .read_only = true,
                   .serial = "12345678901234567890"},
                  {.descriptor = "disk1", .name = disk, .read_only = false, .serial = ""}},
        .disk_count = 2,
        .nets = {{.descriptor = "net0",
                  .kind = MACHINE_NET_TAP,
                  .mac = "02:00:00:00:00:01",
                  .mtu = 1500}},
        .net_count = 1,
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
    assert_int_equal(back.memory_backing, MACHINE_MEMORY_MEMFD);
    assert_int_equal(back.vcpu_count, 64);
    assert_string_equal(back.kernel_name, kernel);
    assert_string_equal(back.command_line, line);
    assert_int_equal(back.disk_count, 2);
    assert_true(back.disks[0].read_only);
    assert_string_equal(back.disks[0].descriptor, "disk0");
    assert_string_equal(back.disks[1].name, disk);
    assert_string_equal(back.disks[0].serial, "12345678901234567890");
    assert_false(back.disks[1].read_only);
    assert_int_equal(back.net_count, 1);
    assert_string_equal(back.nets[0].descriptor, "net0");
    assert_int_equal(back.nets[0].kind, MACHINE_NET_TAP);
    assert_string_equal(back.nets[0].mac, "02:00:00:00:00:01");
    assert_int_equal(back.nets[0].mtu, 1500);
    assert_true(back.vsock);
    assert_true(back.earlycon);
    assert_true(back.timed);
    assert_false(back.traced);
    machine_spec_clear(&back);
    assert_null(back.kernel_name);
}

static void path_that_is_not_utf8_is_an_error(void **state)
{
    char kernel[] = "/boot/\xff";
    struct machine_spec spec = {.memory_bytes = 1, .vcpu_count = 1, .kernel_name = kernel};
    struct error err = ERROR_INIT;
    char *json = NULL;

    (void)state;
    assert_int_equal(machine_spec_to_json(&spec, &json, &err), -EILSEQ);
    assert_null(json);
    assert_int_equal(strncmp(err.text, "kernel: byte 0xff at offset 6 of ", 33), 0);
}

#define REST                                                                                       \
    "\"memory_backing\":\"file\",\"kernel_name\":\"k\","                                           \
    "\"command_line\":null,\"vsock\":false,\"earlycon\":false,"                                    \
    "\"timed\":false,\"traced\":false,\"nets\":[]"

static void others_are_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "null",
        "{}",
        "{\"memory_bytes\":1,\"vcpu_count\":1,\"disks\":[],\"memory_backing\":\"none\","
        "\"kernel_name\":null,\"command_line\":null,\"vsock\":false,\"earlycon\":false,"
        "\"timed\":false,\"traced\":false}",
        "{\"memory_bytes\":1,\"vcpu_count\":0,\"disks\":[]," REST "}",
        "{\"memory_bytes\":1,\"vcpu_count\":65,\"disks\":[]," REST "}",
        "{\"memory_bytes\":0,\"vcpu_count\":1,\"disks\":[]," REST "}",
        "{\"memory_bytes\":-1,\"vcpu_count\":1,\"disks\":[]," REST "}",
        "{\"memory_bytes\":\"1\",\"vcpu_count\":1,\"disks\":[]," REST "}",
        "{\"memory_bytes\":1,\"vcpu_count\":1,\"disks\":[],\"more\":1," REST "}",
        "{\"memory_bytes\":1,\"vcpu_count\":1,\"disks\":{}," REST "}",
        "{\"memory_bytes\":1,\"vcpu_count\":1,\"disks\":[1]," REST "}",
        "{\"memory_bytes\":1,\"vcpu_count\":1,\"disks\":[{\"descriptor\":\"d\",\"name\":\"p\","
        "\"read_only\":true,"
        "\"serial\":\"123456789012345678901\"}]," REST "}",
        "{\"memory_bytes\":1,\"vcpu_count\":1,\"disks\":[{\"descriptor\":\"d\",\"name\":\"p\","
        "\"read_only\":1,"
        "\"serial\":\"\"}]," REST "}",
        "{\"memory_bytes\":1,\"vcpu_count\":1,\"disks\":[{\"descriptor\":"
        "\"123456789012345678901234\",\"name\":\"p\",\"read_only\":true,\"serial\":\"\"}]," REST
        "}",
        "{\"memory_bytes\":1,\"vcpu_count\":1,\"disks\":[{\"name\":\"p\",\"read_only\":true,"
        "\"serial\":\"\"}]," REST "}",
        "{\"memory_bytes\":1,\"vcpu_count\":1,\"disks\":[],\"nets\":[{\"descriptor\":\"n\","
        "\"kind\":\"wire\",\"mac\":\"\",\"mtu\":0}],"
        "\"memory_backing\":\"file\",\"kernel_name\":\"k\",\"command_line\":null,"
        "\"vsock\":false,\"earlycon\":false,\"timed\":false,\"traced\":false}",
        "{\"memory_bytes\":1,\"vcpu_count\":1,\"disks\":[1,2,3,4,5,6,7,8,9]," REST "}",
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
        machine_spec_from_json("{\"memory_bytes\":1,\"vcpu_count\":1,\"disks\":[]," REST "}", &spec,
                               NULL),
        0);
    machine_spec_clear(&spec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_spec_survives),
        cmocka_unit_test(path_that_is_not_utf8_is_an_error),
        cmocka_unit_test(others_are_refused),
        cmocka_unit_test(smallest_is_accepted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
