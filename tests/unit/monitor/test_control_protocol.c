/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of control.sock survive encoding and decoding; a reader ignores later additions, and
 * refuses malformed messages. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "vmm/base/bytes.h"
#include "vmm/monitor/control_protocol.h"

static struct control_event there_and_back(const struct control_event *event)
{
    struct error err = ERROR_INIT;
    struct control_event back;
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    assert_int_equal(control_send_event(ends[0], event, &err), 0);
    assert_int_equal(control_receive_event(ends[1], &back, &err), 1);
    close(ends[0]);
    assert_int_equal(control_receive_event(ends[1], &back, &err), 0);
    close(ends[1]);
    return back;
}

static void events_survive(void **state)
{
    struct control_event event = {
        .type = CONTROL_EVENT_STAGE, .stage = MACHINE_STAGE_KERNEL, .time_ns = 123456789012345U};
    struct control_event back = there_and_back(&event);

    (void)state;
    assert_int_equal(back.type, CONTROL_EVENT_STAGE);
    assert_int_equal(back.stage, MACHINE_STAGE_KERNEL);
    assert_true(back.time_ns == 123456789012345U);
    event = (struct control_event){.type = CONTROL_EVENT_MARK, .mark = 0xffffffU, .time_ns = 1};
    back = there_and_back(&event);
    assert_int_equal(back.mark, 0xffffff);
    event = (struct control_event){.type = CONTROL_EVENT_RUNNING, .time_ns = 7};
    back = there_and_back(&event);
    assert_int_equal(back.type, CONTROL_EVENT_RUNNING);
    event = (struct control_event){
        .type = CONTROL_EVENT_END, .reason = MACHINE_POWER_OFF, .status = 255};
    strcpy(event.text, "a \"quoted\" line");
    strcpy(event.console, "one\ntwo\n");
    back = there_and_back(&event);
    assert_int_equal(back.reason, MACHINE_POWER_OFF);
    assert_int_equal(back.status, 255);
    assert_string_equal(back.text, "a \"quoted\" line");
    assert_string_equal(back.console, "one\ntwo\n");
}

static void counts_survive_and_are_bounded(void **state)
{
    struct control_event event = {.type = CONTROL_EVENT_COUNTS, .at = CONTROL_COUNTS_END};
    struct control_event back;

    (void)state;
    for (unsigned i = 0; i < CONTROL_COUNTS_MAX + 5; i++) {
        char name[40];

        snprintf(name, sizeof(name), "count%u", i);
        control_event_add_count(&event, name, (uint64_t)i << 40);
    }
    back = there_and_back(&event);
    assert_int_equal(back.at, CONTROL_COUNTS_END);
    assert_int_equal(back.count_count, CONTROL_COUNTS_MAX);
    assert_string_equal(back.counts[3].name, "count3");
    assert_true(back.counts[3].value == (uint64_t)3 << 40);
}

/* The largest possible message fits. */
static void worst_console_fits(void **state)
{
    struct control_event event = {.type = CONTROL_EVENT_END, .reason = MACHINE_PANIC};
    struct control_event back;

    (void)state;
    memset(event.console, '\001', CONTROL_CONSOLE_MAX); /* six letters each in JSON */
    memset(event.text, '\001', sizeof(event.text) - 1);
    back = there_and_back(&event);
    assert_int_equal(strlen(back.console), CONTROL_CONSOLE_MAX);
}

/* A monitor that a guest has taken over may send anything; it must not control a terminal. */
static void text_of_a_monitor_is_made_safe(void **state)
{
    struct control_event event = {.type = CONTROL_EVENT_END, .reason = MACHINE_ERROR};
    struct control_event back;

    (void)state;
    strcpy(event.text, "a\033]0;title\007b\nc");
    strcpy(event.console, "one\033[2J\r\n\ttwo\n");
    back = there_and_back(&event);
    assert_string_equal(back.text, "a?]0;title?b?c");
    assert_string_equal(back.console, "one?[2J?\n\ttwo\n");
}

static void bytes_that_are_no_text_become_question_marks(void **state)
{
    struct control_event event = {.type = CONTROL_EVENT_END, .reason = MACHINE_ERROR};
    struct control_event back;

    (void)state;
    strcpy(event.text, "disk b\xfa"
                       "d");
    back = there_and_back(&event);
    assert_string_equal(back.text, "disk b?d");
}

static void commands_survive(void **state)
{
    struct control_command command = {
        .type = CONTROL_COMMAND_WINDOW, .rows = 65535, .columns = 132};
    struct control_command back;
    struct error err = ERROR_INIT;
    int ends[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    assert_int_equal(control_send_command(ends[0], &command, &err), 0);
    assert_int_equal(control_receive_command(ends[1], &back, &err), 1);
    assert_int_equal(back.type, CONTROL_COMMAND_WINDOW);
    assert_int_equal(back.rows, 65535);
    assert_int_equal(back.columns, 132);
    command = (struct control_command){.type = CONTROL_COMMAND_STOP};
    assert_int_equal(control_send_command(ends[1], &command, &err), 0);
    assert_int_equal(control_receive_command(ends[0], &back, &err), 1);
    assert_int_equal(back.type, CONTROL_COMMAND_STOP);
    close(ends[0]);
    close(ends[1]);
}

/* Receives `json`, and then a mark, so that nothing is read twice or mixed up. */
static struct control_event received(const char *json)
{
    const struct control_event mark = {.type = CONTROL_EVENT_MARK, .mark = 7};
    struct control_event event;
    struct control_event next;
    struct error err = ERROR_INIT;
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    assert_int_equal(send(ends[0], json, strlen(json), 0), strlen(json));
    assert_int_equal(control_send_event(ends[0], &mark, &err), 0);
    memset(&event, 0x5a, sizeof(event)); /* what an earlier event has left there */
    assert_int_equal(control_receive_event(ends[1], &event, &err), 1);
    assert_int_equal(control_receive_event(ends[1], &next, &err), 1);
    assert_int_equal(next.type, CONTROL_EVENT_MARK);
    assert_int_equal(next.mark, 7);
    close(ends[0]);
    close(ends[1]);
    return event;
}

static void unknown_events_are_distinguished(void **state)
{
    static const char *const texts[] = {
        "{\"version\":1,\"event\":\"dance\"}",
        "{\"version\":1,\"event\":\"dance\",\"time_ns\":\"soon\"}",
        "{\"version\":1,\"event\":\"\"}",
        "{\"version\":1,\"event\":\"stage\",\"stage\":\"lunch\",\"time_ns\":1}",
        "{\"version\":1,\"event\":\"counts\",\"at\":\"noon\",\"values\":{}}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        struct control_event event = received(texts[i]);
        struct error err = ERROR_INIT;
        char *json = "";

        assert_int_equal(event.type, CONTROL_EVENT_UNKNOWN);
        assert_int_equal(control_event_encode(&event, &json, &err), -EINVAL);
        assert_string_not_equal(err.text, "");
        assert_null(json);
    }
}

static void unknown_keys_of_events_are_ignored(void **state)
{
    struct control_event event;

    (void)state;
    event = received("{\"version\":1,\"event\":\"running\",\"time_ns\":5,\"extra\":{\"a\":[1]}}");
    assert_int_equal(event.type, CONTROL_EVENT_RUNNING);
    assert_true(event.time_ns == 5);
    event =
        received("{\"minor\":3,\"version\":1,\"event\":\"stage\",\"stage\":\"tree\",\"time_ns\":6,"
                 "\"mark\":\"no number\"}");
    assert_int_equal(event.type, CONTROL_EVENT_STAGE);
    assert_int_equal(event.stage, MACHINE_STAGE_TREE);
    event = received("{\"version\":1,\"event\":\"counts\",\"at\":\"end\",\"values\":{\"exits\":9},"
                     "\"time_ns\":1}");
    assert_int_equal(event.at, CONTROL_COUNTS_END);
    assert_int_equal(event.count_count, 1);
    event =
        received("{\"version\":1,\"event\":\"end\",\"reason\":\"exit\",\"status\":3,\"text\":\"\","
                 "\"console\":\"\",\"time_ns\":1,\"core\":null}");
    assert_int_equal(event.reason, MACHINE_EXIT);
    assert_int_equal(event.status, 3);
}

static void an_unknown_reason_is_an_error_with_its_name(void **state)
{
    struct control_event event;

    (void)state;
    event = received("{\"version\":1,\"event\":\"end\",\"reason\":\"bored\\u001b[2J\",\"status\":0,"
                     "\"text\":\"nothing to do\",\"console\":\"last line\",\"time_ns\":1}");
    assert_int_equal(event.type, CONTROL_EVENT_END);
    assert_int_equal(event.reason, MACHINE_ERROR);
    assert_string_equal(event.text,
                        "the monitor ended for the unknown reason 'bored?[2J': nothing to do");
    assert_string_equal(event.console, "last line");
    event = received("{\"version\":1,\"event\":\"end\",\"reason\":\"\",\"status\":0,\"text\":\"\","
                     "\"console\":\"\",\"time_ns\":1}");
    assert_string_equal(event.text, "the monitor ended for the unknown reason ''");
}

static void malformed_events_are_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "{}",
        "[]",
        "[{\"version\":1,\"event\":\"running\",\"time_ns\":1}]",
        "{\"version\":1}",
        "{\"version\":1,\"event\":5}",
        "{\"version\":1,\"event\":null,\"time_ns\":1}",
        "{\"version\":1,\"command\":\"stop\"}",
        "{\"version\":1,\"event\":\"counts\",\"at\":\"end\",\"values\":{\"a\\u001b[2J\":1}}",
        "{\"version\":1,\"event\":\"counts\",\"at\":\"end\",\"values\":{\"a\\\"b\":1}}",
        "{\"version\":1,\"event\":\"counts\",\"at\":\"end\",\"values\":[1]}",
        "{\"version\":1,\"event\":\"counts\",\"at\":\"end\",\"values\":{\"a\":-1}}",
        "{\"version\":1,\"event\":\"counts\",\"at\":\"end\",\"values\":{\"a\":\"1\"}}",
        "{\"version\":1,\"event\":\"counts\",\"at\":\"end\",\"values\":"
        "{\"1234567890123456789012345678901234567890\":1}}",
        "{\"version\":1,\"event\":\"counts\",\"at\":\"noon\",\"values\":{\"a\":-1}}",
        "{\"version\":1,\"event\":\"counts\",\"at\":1,\"values\":{}}",
        "{\"version\":1,\"event\":\"counts\",\"at\":\"end\"}",
        "{\"version\":1,\"event\":\"running\"}",
        "{\"version\":1,\"event\":\"running\",\"time_ns\":-1}",
        "{\"version\":1,\"event\":\"running\",\"time_ns\":\"1\"}",
        "{\"version\":1,\"event\":\"running\",\"time_ns\":1.5}",
        "{\"version\":1,\"event\":\"running\",\"time_ns\":1}x",
        "{\"version\":1,\"event\":\"running\",\"event\":\"running\",\"time_ns\":1}",
        "{\"version\":1,\"event\":\"mark\",\"mark\":4294967296,\"time_ns\":1}",
        "{\"version\":1,\"event\":\"mark\",\"mark\":-1,\"time_ns\":1}",
        "{\"version\":1,\"event\":\"mark\",\"time_ns\":1}",
        "{\"version\":1,\"event\":\"stage\",\"stage\":\"lunch\"}",
        "{\"version\":1,\"event\":\"stage\",\"stage\":1,\"time_ns\":1}",
        "{\"version\":1,\"event\":\"stage\",\"time_ns\":1}",
        "{\"version\":1,\"event\":\"end\",\"reason\":\"exit\",\"status\":256,\"text\":\"\","
        "\"console\":\"\",\"time_ns\":1}",
        "{\"version\":1,\"event\":\"end\",\"reason\":5,\"status\":0,\"text\":\"\",\"console\":\"\","
        "\"time_ns\":1}",
        "{\"version\":1,\"event\":\"end\",\"status\":0,\"text\":\"\",\"console\":\"\",\"time_ns\":"
        "1}",
        "{\"version\":1,\"event\":\"end\",\"reason\":\"exit\",\"status\":0,\"console\":\"\","
        "\"time_ns\":1}",
    };
    struct control_event event;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        struct error err = ERROR_INIT;

        assert_int_equal(control_event_decode(texts[i], strlen(texts[i]), &event, &err), -EINVAL);
        assert_string_not_equal(err.text, "");
    }
}

static void another_version_is_refused(void **state)
{
    static const char *const malformed[] = {
        "{\"event\":\"running\",\"time_ns\":1}",
        "{\"version\":\"1\",\"event\":\"running\",\"time_ns\":1}",
        "{\"version\":1.0,\"event\":\"running\",\"time_ns\":1}",
        "{\"version\":null,\"event\":\"running\",\"time_ns\":1}",
        "{\"version\":0,\"event\":\"running\",\"time_ns\":1}",
        "{\"version\":-1,\"event\":\"running\",\"time_ns\":1}",
    };
    static const char newer_event[] = "{\"version\":2,\"happening\":[]}";
    static const char newer_command[] = "{\"version\":2,\"command\":\"stop\"}";
    struct control_event event;
    struct control_command command;
    struct error err = ERROR_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(malformed); i++)
        assert_int_equal(control_event_decode(malformed[i], strlen(malformed[i]), &event, NULL),
                         -EINVAL);
    assert_int_equal(control_event_decode(newer_event, strlen(newer_event), &event, &err), -EINVAL);
    assert_string_equal(err.text,
                        "control message of version 2, but this microvm speaks version 1");
    assert_int_equal(control_command_decode(newer_command, strlen(newer_command), &command, &err),
                     -EINVAL);
    assert_string_equal(err.text,
                        "control message of version 2, but this microvm speaks version 1");
}

static void messages_carry_the_version(void **state)
{
    const struct control_event event = {.type = CONTROL_EVENT_RUNNING, .time_ns = 1};
    const struct control_command command = {.type = CONTROL_COMMAND_STOP};
    char *json;

    (void)state;
    assert_int_equal(control_event_encode(&event, &json, NULL), 0);
    assert_non_null(strstr(json, "\"version\":1"));
    free(json);
    assert_int_equal(control_command_encode(&command, &json, NULL), 0);
    assert_non_null(strstr(json, "\"version\":1"));
    free(json);
}

static void unknown_commands_are_distinguished(void **state)
{
    static const char unknown[] = "{\"version\":1,\"command\":\"dance\",\"rows\":\"?\"}";
    struct control_command command = {.type = CONTROL_COMMAND_STOP};
    char *json = "";

    (void)state;
    assert_int_equal(control_command_decode(unknown, strlen(unknown), &command, NULL), 0);
    assert_int_equal(command.type, CONTROL_COMMAND_UNKNOWN);
    assert_int_equal(control_command_encode(&command, &json, NULL), -EINVAL);
    assert_null(json);
}

static void unknown_keys_of_commands_are_ignored(void **state)
{
    static const char stop[] = "{\"version\":1,\"command\":\"stop\",\"rows\":1}";
    static const char window[] =
        "{\"version\":1,\"command\":\"window\",\"rows\":24,\"columns\":80,\"pixels\":5}";
    struct control_command command;

    (void)state;
    assert_int_equal(control_command_decode(stop, strlen(stop), &command, NULL), 0);
    assert_int_equal(command.type, CONTROL_COMMAND_STOP);
    assert_int_equal(control_command_decode(window, strlen(window), &command, NULL), 0);
    assert_int_equal(command.type, CONTROL_COMMAND_WINDOW);
    assert_int_equal(command.rows, 24);
}

static void malformed_commands_are_refused(void **state)
{
    static const char *const texts[] = {
        "{\"version\":1,\"command\":5}",
        "{\"version\":1,\"command\":\"window\",\"rows\":1}",
        "{\"version\":1,\"command\":\"window\",\"rows\":1,\"columns\":\"2\"}",
        "{\"version\":1,\"command\":\"window\",\"rows\":1,\"columns\":65536}",
        "{\"version\":1,\"command\":\"window\",\"rows\":-1,\"columns\":1}",
        "{\"version\":1,\"event\":\"running\",\"time_ns\":1}",
        "{\"command\":\"stop\"}",
    };
    struct control_command command;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        assert_int_equal(control_command_decode(texts[i], strlen(texts[i]), &command, NULL),
                         -EINVAL);
}

static void too_long_a_message_is_refused(void **state)
{
    static char data[CONTROL_MESSAGE_MAX + 1];
    struct error err = ERROR_INIT;
    struct control_event event;
    int ends[2];

    (void)state;
    memset(data, ' ', sizeof(data));
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    assert_int_equal(send(ends[0], data, sizeof(data), 0), sizeof(data));
    assert_int_equal(control_receive_event(ends[1], &event, &err), -EINVAL);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_survive),
        cmocka_unit_test(counts_survive_and_are_bounded),
        cmocka_unit_test(worst_console_fits),
        cmocka_unit_test(text_of_a_monitor_is_made_safe),
        cmocka_unit_test(bytes_that_are_no_text_become_question_marks),
        cmocka_unit_test(commands_survive),
        cmocka_unit_test(unknown_events_are_distinguished),
        cmocka_unit_test(unknown_keys_of_events_are_ignored),
        cmocka_unit_test(an_unknown_reason_is_an_error_with_its_name),
        cmocka_unit_test(malformed_events_are_refused),
        cmocka_unit_test(another_version_is_refused),
        cmocka_unit_test(messages_carry_the_version),
        cmocka_unit_test(unknown_commands_are_distinguished),
        cmocka_unit_test(unknown_keys_of_commands_are_ignored),
        cmocka_unit_test(malformed_commands_are_refused),
        cmocka_unit_test(too_long_a_message_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
