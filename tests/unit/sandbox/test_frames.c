/* SPDX-License-Identifier: Apache-2.0 */
/* What a guest says on its control connection, well-behaved and hostile. */
#include <errno.h>

#include "tests/unit/unit.h"
#include "vmm/base/bytes.h"
#include "vmm/sandbox/frames.h"

/* Reads all messages out of `size` bytes, given `step` at a time; returns the last result. */
static int read_in_steps(const unsigned char *bytes, size_t size, size_t step,
                         struct guest_message *messages, size_t *count)
{
    struct frame_reader reader = {0};
    int rc = 0;

    *count = 0;
    for (size_t at = 0; at < size && rc >= 0; at += step) {
        const unsigned char *data = bytes + at;
        size_t left = size - at < step ? size - at : step;

        while ((rc = frame_read(&reader, &data, &left, &messages[*count], NULL)) == 1)
            ++*count;
        if (rc == 0)
            assert_int_equal(left, 0);
    }
    return rc;
}

static void whole_or_in_pieces(void **state)
{
    unsigned char bytes[3 * FRAME_SIZE_MAX];
    size_t size = 0;

    (void)state;
    size += frame_build(bytes + size, PROTOCOL_STARTED, NULL, 0);
    size += frame_build(bytes + size, PROTOCOL_FAILURE, "\x7fnot found", 10);
    size += frame_build(bytes + size, PROTOCOL_EXIT, "\x03", 1);
    for (size_t step = 1; step <= size; step++) {
        struct guest_message messages[4];
        size_t count;

        assert_int_equal(read_in_steps(bytes, size, step, messages, &count), 0);
        assert_int_equal(count, 3);
        assert_int_equal(messages[0].type, PROTOCOL_STARTED);
        assert_int_equal(messages[1].type, PROTOCOL_FAILURE);
        assert_int_equal(messages[1].status, 127);
        assert_string_equal(messages[1].text, "not found");
        assert_int_equal(messages[2].type, PROTOCOL_EXIT);
        assert_int_equal(messages[2].status, 3);
    }
}

static void text_is_harmless(void **state)
{
    unsigned char bytes[FRAME_SIZE_MAX];
    char payload[PROTOCOL_PAYLOAD_MAX];
    struct guest_message message[2];
    size_t size;
    size_t count;

    (void)state;
    memset(payload, 'x', sizeof(payload));
    memcpy(payload + 1, "\x1b[2J\n\0\xff", 7);
    size = frame_build(bytes, PROTOCOL_FAILURE, payload, sizeof(payload));
    assert_int_equal(read_in_steps(bytes, size, size, message, &count), 0);
    assert_int_equal(count, 1);
    assert_memory_equal(message[0].text, "?[2J???x", 8);
    assert_int_equal(strlen(message[0].text), PROTOCOL_PAYLOAD_MAX - 1);
}

static void nonsense_is_refused(void **state)
{
    static const struct {
        unsigned type;
        unsigned size;
    } cases[] = {
        {0, 0},
        {4, 0},
        {PROTOCOL_SIGNAL, 1},
        {65535, 0},
        {PROTOCOL_STARTED, 1},
        {PROTOCOL_EXIT, 0},
        {PROTOCOL_EXIT, 2},
        {PROTOCOL_FAILURE, 0},
        {PROTOCOL_FAILURE, PROTOCOL_PAYLOAD_MAX + 1},
        {PROTOCOL_EXIT, 65535},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        unsigned char bytes[70000] = {0};
        struct guest_message messages[1];
        size_t count;

        store_le16(bytes, (uint16_t)cases[i].type);
        store_le16(bytes + 2, (uint16_t)cases[i].size);
        for (size_t step = 1; step < 9; step++)
            assert_int_equal(read_in_steps(bytes, 4 + cases[i].size, step, messages, &count),
                             -EPROTO);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_or_in_pieces),
        cmocka_unit_test(text_is_harmless),
        cmocka_unit_test(nonsense_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
