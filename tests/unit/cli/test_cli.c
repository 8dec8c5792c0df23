/* SPDX-License-Identifier: Apache-2.0 */
/* Small parts of the commands: the byte relay, versions of kernels, paths of files, sizes of VMs.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "vmm/base/io.h"
#include "vmm/base/program_file.h"
#include "vmm/cli/cmd_image.h"
#include "vmm/cli/console_relay.h"
#include "vmm/cli/kernel_banner.h"
#include "vmm/cli/vm_options.h"
#include "vmm/machine/host_check.h"
#include "vmm/machine/spec.h"

#define MIB (1ULL << 20)

static char path[] = "/tmp/test-cli-XXXXXX";

static void write_file(const void *data, size_t size)
{
    int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(io_write_all(fd, data, size), 0);
    close(fd);
}

static void relay_copies_all_bytes(void **state)
{
    static char sent[RELAY_BUFFER * 2 + 17];
    static char received[sizeof(sent) + 1];
    struct relay relay;
    size_t looked = 0;
    int in[2];
    int out[2];

    (void)state;
    for (size_t i = 0; i < sizeof(sent); i++)
        sent[i] = (char)(i * 7 + i / 251);
    assert_int_equal(pipe(in), 0);
    assert_int_equal(pipe(out), 0);
    assert_int_equal(io_write_all(in[1], sent, sizeof(sent)), 0);
    close(in[1]);
    relay = (struct relay){.from = in[0], .to = out[1]};
    while (!relay.ended) {
        struct pollfd waits = relay_poll(&relay);

        assert_int_equal(waits.fd, relay.used > 0 ? out[1] : in[0]);
        assert_int_equal(waits.events, relay.used > 0 ? POLLOUT : POLLIN);
        looked += relay_step(&relay);
    }
    close(out[1]);
    assert_int_equal(relay.write_error, 0);
    assert_int_equal(relay.read_error, 0);
    assert_int_equal(relay_poll(&relay).fd, -1);
    assert_int_equal(looked, sizeof(sent));
    assert_int_equal(io_read_full(out[0], received, sizeof(received)), sizeof(sent));
    assert_memory_equal(sent, received, sizeof(sent));
    close(in[0]);
    close(out[0]);
}

static void relay_ends_when_nobody_reads(void **state)
{
    struct relay relay;
    int in[2];
    int out[2];

    (void)state;
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(pipe(in), 0);
    assert_int_equal(pipe(out), 0);
    close(out[0]);
    assert_int_equal(io_write_all(in[1], "x", 1), 0);
    relay = (struct relay){.from = in[0], .to = out[1]};
    assert_int_equal(relay_step(&relay), 1);
    assert_int_equal(relay_step(&relay), 0);
    assert_true(relay.ended);
    assert_int_equal(relay.write_error, EPIPE);
    close(in[0]);
    close(in[1]);
    close(out[1]);
}

/* An error is not taken for the end of file. */
static void relay_reports_errors(void **state)
{
    struct relay from_directory = {.from = open("/", O_RDONLY | O_CLOEXEC), .to = -1};
    struct relay to_full = {.from = -1, .to = open("/dev/full", O_WRONLY | O_CLOEXEC), .used = 1};

    (void)state;
    relay_step(&from_directory);
    assert_true(from_directory.ended);
    assert_int_equal(from_directory.read_error, EISDIR);
    relay_step(&to_full);
    assert_true(to_full.ended);
    assert_int_equal(to_full.write_error, ENOSPC);
    close(from_directory.from);
    close(to_full.to);
}

static void kernel_names(void **state)
{
    char image[0x600] = "ELF or not";
    char text[KERNEL_BANNER_SIZE];
    struct error err = ERROR_INIT;

    (void)state;
    strcpy(image + 0x300, "Linux version %s"); /* a format of the kernel's, not its banner */
    strcpy(image + 0x400, "Linux version 6.1.170 (who@where) (gcc) #1");
    write_file(image, sizeof(image));
    assert_int_equal(kernel_banner_read(path, text, &err), 0);
    assert_string_equal(text, "6.1.170");
    strcpy(image + sizeof(image) - 17, "Linux version 12"); /* the file ends within it */
    image[0x400] = 'l';
    write_file(image, sizeof(image) - 1);
    assert_int_equal(kernel_banner_read(path, text, &err), 0);
    assert_string_equal(text, "12");

    memcpy(image + 0x202, "HdrS", 4);
    image[0x20e] = 0x00;
    image[0x20f] = 0x03; /* 0x200 + 0x300 */
    strcpy(image + 0x500, "6.6.0-custom (me@here)");
    write_file(image, sizeof(image));
    assert_int_equal(kernel_banner_read(path, text, &err), 0);
    assert_string_equal(text, "6.6.0-custom");
    image[0x20f] = 0x7f; /* outside of the file: the banner is the next to look at */
    write_file(image, sizeof(image));
    assert_int_equal(kernel_banner_read(path, text, &err), 0);
    assert_string_equal(text, "12");

    write_file("nothing", 7);
    assert_int_equal(kernel_banner_read(path, text, &err), -ENOEXEC);
    write_file("", 0);
    assert_int_equal(kernel_banner_read(path, text, &err), -ENOEXEC);
    assert_int_equal(kernel_banner_read("/nonexistent", text, &err), -ENOENT);
    assert_int_equal(kernel_banner_read("/tmp", text, &err), -ENOEXEC);
}

static void paths_of_program_files(void **state)
{
    struct error err = ERROR_INIT;
    char *found = NULL;

    (void)state;
    unsetenv("MICROVM_KERNEL");
    assert_int_equal(program_file_find(&program_file_kernel, path, &found, &err), 0);
    assert_string_equal(found, path);
    free(found);
    assert_int_equal(program_file_find(&program_file_kernel, "/nonexistent", &found, &err),
                     -ENOENT);
    assert_string_equal(err.text, "--kernel: guest kernel /nonexistent: No such file or directory");
    assert_int_equal(program_file_find(&program_file_kernel, "/tmp", &found, &err), -EISDIR);
    setenv("MICROVM_KERNEL", path, 1);
    assert_int_equal(program_file_find(&program_file_kernel, NULL, &found, &err), 0);
    assert_string_equal(found, path);
    free(found);
    setenv("MICROVM_KERNEL", "/nonexistent", 1); /* named by the user: no other place is tried */
    assert_int_equal(program_file_find(&program_file_kernel, NULL, &found, &err), -ENOENT);
    assert_non_null(strstr(err.text, "MICROVM_KERNEL: guest kernel /nonexistent"));
    unsetenv("MICROVM_KERNEL");
}

static void memory_of_a_vm(void **state)
{
    struct error err = ERROR_INIT;
    uint64_t bytes = 0;

    (void)state;
    assert_int_equal(vm_options_memory(0, true, &bytes, &err), 0);
    assert_int_equal(bytes, VM_OPTIONS_MEMORY_DEFAULT);
    assert_int_equal(vm_options_memory(300 * MIB + 1, true, &bytes, &err), 0);
    assert_int_equal(bytes, 301 * MIB);
    assert_int_equal(vm_options_memory(host_memory_minimum() - 1, true, &bytes, &err), -ERANGE);
    assert_int_equal(strncmp(err.text, "--memory: ", 10), 0);
    assert_int_equal(vm_options_memory(MIB, false, &bytes, &err), 0);
    assert_int_equal(vm_options_memory(UINT64_MAX, true, &bytes, &err), -ERANGE);
    assert_int_equal(vm_options_memory(2 * host_memory_total(), false, &bytes, &err), 0);
    assert_int_equal(vm_options_memory(2 * host_memory_total() + 2, false, &bytes, &err), -ERANGE);
    assert_non_null(strstr(err.text, "of this host"));
}

static void processors_of_a_vm(void **state)
{
    static const struct {
        const char *text;
        int rc;
        unsigned vcpus;
        uint32_t millicpus;
    } cases[] = {
        {NULL, 0, 1, 0},        {"1", 0, 1, 1000},       {"2", 0, 2, 2000},
        {"1.5", 0, 2, 1500},    {"0.25", 0, 1, 250},     {"64", 0, 64, 64000},
        {"65", -ERANGE, 0, 0},  {"64.5", -ERANGE, 0, 0}, {"0", -ERANGE, 0, 0},
        {"two", -EINVAL, 0, 0}, {"-1", -EINVAL, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error err = ERROR_INIT;
        unsigned vcpus = 0;
        uint32_t millicpus = 0;

        assert_int_equal(vm_options_cpus(cases[i].text, &vcpus, &millicpus, &err), cases[i].rc);
        assert_int_equal(vcpus, cases[i].vcpus);
        assert_int_equal(millicpus, cases[i].millicpus);
        if (cases[i].rc < 0)
            assert_int_equal(strncmp(err.text, "--cpus: ", 8), 0);
    }
}

static void timeline_values(void **state)
{
    struct error err = ERROR_INIT;

    (void)state;
    assert_int_equal(vm_options_timeline_check(NULL, &err), 0);
    assert_int_equal(vm_options_timeline_check("", &err), 0);
    assert_int_equal(vm_options_timeline_check("json", &err), 0);
    assert_int_equal(vm_options_timeline_check("json:/tmp/x", &err), 0);
    assert_int_equal(vm_options_timeline_check("json:", &err), -EINVAL);
    assert_int_equal(vm_options_timeline_check("xml", &err), -EINVAL);
}

static void ages_of_images(void **state)
{
    static const struct {
        const char *created, *age;
    } rows[] = {
        {"2020-01-01T00:00:00Z", "5 hours ago"},
        {"2019-12-31T05:00:00.123456789Z", "24 hours ago"},
        {"1970-01-01T00:00:00Z", "50 years ago"},
        {"1969-12-31T23:59:59Z", "N/A"},
        {"0001-01-01T00:00:00Z", "N/A"},
        {"-002-01-01T00:00:00Z", "N/A"},
        {"2020-01-01T05:00:01Z", "in the future"},
        {"9999-12-31T23:59:59Z", "in the future"},
        {"99999-12-31T23:59:59Z", "N/A"},
        {"2020-13-01T00:00:00Z", "N/A"},
        {"yesterday", "N/A"},
        {"", "N/A"},
    };
    char text[IMAGE_TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        image_format_age(rows[i].created, 1577854800, text); /* 2020-01-01T05:00:00Z */
        assert_string_equal(text, rows[i].age);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(relay_copies_all_bytes), cmocka_unit_test(relay_ends_when_nobody_reads),
        cmocka_unit_test(relay_reports_errors),   cmocka_unit_test(kernel_names),
        cmocka_unit_test(paths_of_program_files), cmocka_unit_test(memory_of_a_vm),
        cmocka_unit_test(processors_of_a_vm),     cmocka_unit_test(timeline_values),
        cmocka_unit_test(ages_of_images),
    };
    int fd = mkstemp(path);
    int failed;

    if (fd < 0)
        return 1;
    close(fd);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
