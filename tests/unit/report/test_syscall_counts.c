/* SPDX-License-Identifier: Apache-2.0 */
/* The table of a container's system calls: order, sums, names, and untrusted rows. */
#include <stdlib.h>

#include <errno.h>
#include <sys/syscall.h>

#include "tests/unit/unit.h"
#include "vmm/base/bytes.h"
#include "vmm/base/syscall_name.h"
#include "vmm/sandbox/guest_messages.h"

static char *written(const struct syscall_table *table)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    syscall_table_write(table, out);
    fclose(out);
    return text;
}

static void add(struct syscall_table *table, struct syscall_row row)
{
    assert_int_equal(syscall_table_add(table, &row, NULL), 0);
}

static void the_longest_come_first(void **state)
{
    struct syscall_table table = {0};
    char *text;

    (void)state;
    add(&table, (struct syscall_row){SYS_read, 4, 1, 2000});
    add(&table, (struct syscall_row){SYS_write, 1, 0, 9000000});
    add(&table, (struct syscall_row){PROTOCOL_SYSCALL_OTHER, 2, 2, 100});
    add(&table, (struct syscall_row){PROTOCOL_SYSCALL_NUMBERS - 1, 1, 0, 50});
    text = written(&table);
    assert_string_equal(
        text,
        "system calls of the container       calls     errors            time          each\n"
        "  write                                 1          0        9.000 ms    9000.00 us\n"
        "  read                                  4          1        0.002 ms       0.50 us\n"
        "  (other)                               2          2        0.000 ms       0.05 us\n"
        "  number 511                            1          0        0.000 ms       0.05 us\n"
        "  all                                   8          3        9.002 ms    1125.27 us\n");
    free(text);
}

static void impossible_rows_are_refused(void **state)
{
    static const struct syscall_row bad[] = {
        {PROTOCOL_SYSCALL_NUMBERS, 1, 0, 0},
        {PROTOCOL_SYSCALL_OTHER - 1, 1, 0, 0},
        {SYS_read, 0, 0, 0},
        {SYS_read, 1, 2, 0},
        {SYS_write, 1, 0, 0}, /* there already */
    };
    struct syscall_table table = {0};

    (void)state;
    add(&table, (struct syscall_row){SYS_write, 1, 0, 0});
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        assert_int_equal(syscall_table_add(&table, &bad[i], NULL), -EPROTO);
    assert_int_equal(table.count, 1);
}

static void sums_do_not_wrap(void **state)
{
    struct syscall_table table = {0};
    char *text;

    (void)state;
    add(&table, (struct syscall_row){SYS_read, UINT64_MAX, UINT64_MAX, UINT64_MAX});
    add(&table, (struct syscall_row){SYS_write, UINT64_MAX, 1, UINT64_MAX});
    text = written(&table);
    assert_non_null(strstr(text, "all                          18446744073709551615 "));
    free(text);
}

static void names_are_the_kernels(void **state)
{
    (void)state;
    assert_string_equal(syscall_name(SYS_execve), "execve");
    assert_string_equal(syscall_name(SYS_clone3), "clone3");
    assert_null(syscall_name(PROTOCOL_SYSCALL_NUMBERS - 1));
    assert_null(syscall_name(UINT32_MAX));
}

/* Reads one message with that payload; returns the result. */
static int read_message(const unsigned char *payload, size_t size, struct guest_message *message)
{
    unsigned char bytes[sizeof(struct protocol_header) + PROTOCOL_REPORT_MAX] = {PROTOCOL_SYSCALLS};
    struct guest_message_reader reader = {.greeted = true};
    const unsigned char *data = bytes;
    size_t left = sizeof(struct protocol_header) + size;

    store_le32(bytes + 4, (uint32_t)size);
    memcpy(bytes + sizeof(struct protocol_header), payload, size);
    return guest_message_read(&reader, &data, &left, message, NULL);
}

static void messages_hold_whole_rows(void **state)
{
    unsigned char payload[PROTOCOL_REPORT_MAX] = {0};
    struct guest_message message;

    (void)state;
    store_le32(payload, 7);
    payload[4] = 3;
    payload[12 + 7] = 1;
    payload[20] = 9;
    assert_int_equal(read_message(payload, PROTOCOL_SYSCALL_SIZE, &message), 1);
    assert_int_equal(message.call_count, 1);
    assert_int_equal(message.calls[0].number, 7);
    assert_int_equal(message.calls[0].calls, 3);
    assert_true(message.calls[0].errors == 1ULL << 56);
    assert_int_equal(message.calls[0].ns, 9);
    assert_int_equal(read_message(payload, PROTOCOL_SYSCALLS_MAX * PROTOCOL_SYSCALL_SIZE, &message),
                     1);
    assert_int_equal(message.call_count, PROTOCOL_SYSCALLS_MAX);
    assert_int_equal(read_message(payload, 0, &message), -EPROTO);
    assert_int_equal(read_message(payload, PROTOCOL_SYSCALL_SIZE - 1, &message), -EPROTO);
    assert_int_equal(read_message(payload, PROTOCOL_SYSCALL_SIZE + 1, &message), -EPROTO);
    assert_int_equal(read_message(payload, PROTOCOL_REPORT_MAX, &message), -EPROTO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_come_first),   cmocka_unit_test(impossible_rows_are_refused),
        cmocka_unit_test(sums_do_not_wrap),         cmocka_unit_test(names_are_the_kernels),
        cmocka_unit_test(messages_hold_whole_rows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
