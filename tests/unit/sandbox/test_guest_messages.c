/* SPDX-License-Identifier: Apache-2.0 */
/* What a guest says on its control connection, well-behaved and hostile, and what it is sent. */
#include <errno.h>
#include <stdlib.h>

#include "tests/unit/unit.h"
#include "vmm/base/bytes.h"
#include "vmm/sandbox/guest_messages.h"

#define HEADER_SIZE sizeof(struct protocol_header)

/* Appends a message to `bytes`; returns its size. */
static size_t put(unsigned char *bytes, unsigned type, unsigned process, const void *payload,
                  size_t size)
{
    store_le16(bytes, (uint16_t)type);
    store_le16(bytes + 2, (uint16_t)process);
    store_le32(bytes + 4, (uint32_t)size);
    if (size > 0)
        memcpy(bytes + HEADER_SIZE, payload, size);
    return HEADER_SIZE + size;
}

static size_t put_hello(unsigned char *bytes, uint32_t magic, uint32_t version)
{
    unsigned char payload[sizeof(struct protocol_hello)];

    store_le32(payload, magic);
    store_le32(payload + 4, version);
    store_le32(payload + 8, 0x80000001);
    return put(bytes, PROTOCOL_HELLO, 0, payload, sizeof(payload));
}

/* Reads all messages out of `size` bytes, given `step` at a time; returns the last result. */
static int read_in_steps(const unsigned char *bytes, size_t size, size_t step,
                         struct guest_message *messages, size_t *count, struct error *err)
{
    struct guest_message_reader reader = {0};
    int rc = 0;

    *count = 0;
    for (size_t at = 0; at < size && rc >= 0; at += step) {
        const unsigned char *data = bytes + at;
        size_t left = size - at < step ? size - at : step;

        while ((rc = guest_message_read(&reader, &data, &left, &messages[*count], err)) == 1)
            ++*count;
        if (rc == 0)
            assert_int_equal(left, 0);
    }
    return rc;
}

static void whole_or_in_pieces(void **state)
{
    unsigned char bytes[512];
    size_t size = put_hello(bytes, PROTOCOL_MAGIC, PROTOCOL_VERSION);

    (void)state;
    size += put(bytes + size, PROTOCOL_STARTED, 0, NULL, 0);
    size += put(bytes + size, PROTOCOL_FAILED, 0, "\x7fnot found", 10);
    size += put(bytes + size, PROTOCOL_EXITED, 0, "\x03", 1);
    for (size_t step = 1; step <= size; step++) {
        struct guest_message messages[5];
        size_t count;

        assert_int_equal(read_in_steps(bytes, size, step, messages, &count, NULL), 0);
        assert_int_equal(count, 4);
        assert_int_equal(messages[0].type, PROTOCOL_HELLO);
        assert_int_equal(messages[0].features, 0x80000001);
        assert_int_equal(messages[1].type, PROTOCOL_STARTED);
        assert_int_equal(messages[2].type, PROTOCOL_FAILED);
        assert_int_equal(messages[2].status, 127);
        assert_string_equal(messages[2].text, "not found");
        assert_int_equal(messages[3].type, PROTOCOL_EXITED);
        assert_int_equal(messages[3].status, 3);
    }
}

static void text_is_harmless(void **state)
{
    unsigned char bytes[2 * PROTOCOL_REPORT_MAX];
    char payload[PROTOCOL_REPORT_MAX];
    struct guest_message messages[3];
    size_t size = put_hello(bytes, PROTOCOL_MAGIC, PROTOCOL_VERSION);
    size_t count;

    (void)state;
    memset(payload, 'x', sizeof(payload));
    memcpy(payload + 1, "\x1b[2J\n\0\xff", 7);
    size += put(bytes + size, PROTOCOL_FAILED, 0, payload, sizeof(payload));
    assert_int_equal(read_in_steps(bytes, size, size, messages, &count, NULL), 0);
    assert_int_equal(count, 2);
    assert_memory_equal(messages[1].text, "?[2J???x", 8);
    assert_int_equal(strlen(messages[1].text), PROTOCOL_REPORT_MAX - 1);
}

/* A later init may say more than this client knows, even in HELLO. */
static void unknown_types_are_skipped(void **state)
{
    unsigned char bytes[512];
    unsigned char hello[sizeof(struct protocol_hello) + 4] = {0};
    struct guest_message messages[3];
    size_t count;
    size_t size;

    (void)state;
    store_le32(hello, PROTOCOL_MAGIC);
    store_le32(hello + 4, PROTOCOL_VERSION);
    size = put(bytes, PROTOCOL_HELLO, 0, hello, sizeof(hello));
    size += put(bytes + size, 7, 0, "new", 3);
    size += put(bytes + size, 65535, 3, NULL, 0);
    size += put(bytes + size, 0, 0, "x", 1);
    size += put(bytes + size, PROTOCOL_EXITED, 0, "\x05", 1);
    for (size_t step = 1; step <= size; step++) {
        assert_int_equal(read_in_steps(bytes, size, step, messages, &count, NULL), 0);
        assert_int_equal(count, 2);
        assert_int_equal(messages[1].type, PROTOCOL_EXITED);
        assert_int_equal(messages[1].status, 5);
    }
}

static void other_versions_are_refused(void **state)
{
    /* As an init of version 1 would report a failure. */
    static const unsigned char version_1[] = {3, 0, 5, 0, 125, 'n', 'o', 'n', 'e'};
    struct guest_message messages[2];
    struct error err = ERROR_INIT;
    unsigned char bytes[64];
    size_t count;
    size_t size = put_hello(bytes, PROTOCOL_MAGIC, PROTOCOL_VERSION + 1);

    (void)state;
    assert_int_equal(read_in_steps(bytes, size, size, messages, &count, &err), -EPROTO);
    assert_non_null(strstr(err.text, "speaks version 3 of the guest protocol, not 2"));
    size = put_hello(bytes, PROTOCOL_MAGIC + 1, PROTOCOL_VERSION);
    assert_int_equal(read_in_steps(bytes, size, size, messages, &count, &err), -EPROTO);
    assert_non_null(strstr(err.text, "does not speak the guest protocol"));
    size = put(bytes, PROTOCOL_STARTED, 0, NULL, 0);
    assert_int_equal(read_in_steps(bytes, size, size, messages, &count, &err), -EPROTO);
    assert_int_equal(read_in_steps(version_1, sizeof(version_1), 1, messages, &count, &err),
                     -EPROTO);
    assert_int_equal(count, 0);
}

static void nonsense_is_refused(void **state)
{
    static const struct {
        unsigned type;
        unsigned process;
        uint32_t size;
    } cases[] = {
        {PROTOCOL_HELLO, 0, sizeof(struct protocol_hello)}, /* a second one */
        {PROTOCOL_STARTED, 0, 1},
        {PROTOCOL_STARTED, 1, 0},
        {PROTOCOL_EXITED, 0, 0},
        {PROTOCOL_EXITED, 0, 2},
        {PROTOCOL_EXITED, 65535, 1},
        {PROTOCOL_FAILED, 0, 0},
        {PROTOCOL_FAILED, 0, PROTOCOL_REPORT_MAX + 1},
        {PROTOCOL_MARK, 0, 0},
        {PROTOCOL_SYSCALLS, 0, PROTOCOL_SYSCALL_SIZE - 1},
        {PROTOCOL_EXITED, 0, 65535},
        {100, 0, PROTOCOL_REPORT_MAX + 1},
        {PROTOCOL_EXITED, 0, UINT32_MAX},
        {PROTOCOL_EXITED, 0, UINT32_MAX - HEADER_SIZE + 2},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        unsigned char bytes[70000] = {0};
        size_t given = cases[i].size < 66000 ? cases[i].size : 66000;
        struct guest_message messages[2];
        size_t count;
        size_t at = put_hello(bytes, PROTOCOL_MAGIC, PROTOCOL_VERSION);

        store_le16(bytes + at, (uint16_t)cases[i].type);
        store_le16(bytes + at + 2, (uint16_t)cases[i].process);
        store_le32(bytes + at + 4, cases[i].size);
        for (size_t step = 1; step < 9; step++)
            assert_int_equal(
                read_in_steps(bytes, at + HEADER_SIZE + given, step, messages, &count, NULL),
                -EPROTO);
    }
}

/* Checks one message of a request; returns where the next one begins. */
static const unsigned char *expect(const unsigned char *at, unsigned type, size_t size)
{
    assert_int_equal(load_le16(at), type);
    assert_int_equal(load_le16(at + 2), PROTOCOL_CONTAINER);
    assert_int_equal(load_le32(at + 4), size);
    return at + HEADER_SIZE + size;
}

static void a_request_is_complete_and_in_order(void **state)
{
    static char large[PROTOCOL_PAYLOAD_MAX * 2];
    const struct bundle bundle = {
        .files = {{"config.json", 0600, "{}", 2},
                  {"empty", 0644, NULL, 0},
                  {"program", 0755, large, sizeof(large)}},
        .count = 3,
    };
    const size_t head = sizeof(struct protocol_file) + sizeof("program");
    AUTO_GUEST_REQUEST struct guest_request request = {0};
    const unsigned char *at;

    (void)state;
    memset(large, 'l', sizeof(large));
    assert_int_equal(guest_request_make(&bundle, "overlay=disk\n", "stdin=1\n", &request, NULL), 0);
    at = request.data;
    assert_int_equal(load_le32(at + HEADER_SIZE), PROTOCOL_MAGIC);
    assert_int_equal(load_le32(at + HEADER_SIZE + 4), PROTOCOL_VERSION);
    at = expect(at, PROTOCOL_HELLO, sizeof(struct protocol_hello));
    assert_memory_equal(at + HEADER_SIZE, "overlay=disk\n", 13);
    at = expect(at, PROTOCOL_SETUP, 13);
    assert_int_equal(load_le32(at + HEADER_SIZE), 0600);
    assert_memory_equal(at + HEADER_SIZE + 4, "config.json\0{}", 14);
    at = expect(at, PROTOCOL_FILE, 4 + 14);
    at = expect(at, PROTOCOL_FILE, 4 + sizeof("empty"));
    assert_memory_equal(at + HEADER_SIZE + 4, "program\0ll", 10);
    at = expect(at, PROTOCOL_FILE, PROTOCOL_PAYLOAD_MAX);
    at = expect(at, PROTOCOL_DATA, PROTOCOL_PAYLOAD_MAX);
    at = expect(at, PROTOCOL_DATA, head);
    assert_memory_equal(at + HEADER_SIZE, "stdin=1\n", 8);
    at = expect(at, PROTOCOL_RUN, 8);
    assert_ptr_equal(at, request.data + request.size);
}

static void too_long_settings_are_refused(void **state)
{
    static char settings[PROTOCOL_SETTINGS_MAX + 2];
    AUTO_GUEST_REQUEST struct guest_request request = {0};
    const struct bundle bundle = {.count = 0};

    (void)state;
    memset(settings, 'x', sizeof(settings) - 1);
    assert_int_equal(guest_request_make(&bundle, "", settings, &request, NULL), -E2BIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_or_in_pieces),
        cmocka_unit_test(text_is_harmless),
        cmocka_unit_test(unknown_types_are_skipped),
        cmocka_unit_test(other_versions_are_refused),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(a_request_is_complete_and_in_order),
        cmocka_unit_test(too_long_settings_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
