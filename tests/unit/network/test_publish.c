/* SPDX-License-Identifier: Apache-2.0 */
/* --publish: what is understood, and what is free. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "vmm/base/bytes.h"
#include "vmm/network/publish.h"

static int parse(const char *text, struct published_ports *ports, struct error *err)
{
    AUTO_STRING_LIST struct string_list texts = {0};

    assert_int_equal(string_list_add(&texts, text), 0);
    return publish_parse(&texts, ports, err);
}

static void forms(void **state)
{
    static const struct {
        const char *text;
        struct published_port port;
    } cases[] = {
        {"8080:80", {"0.0.0.0", 8080, 80, 1, false}},
        {"8080:80/tcp", {"0.0.0.0", 8080, 80, 1, false}},
        {"53:5353/udp", {"0.0.0.0", 53, 5353, 1, true}},
        {"127.0.0.1:1:65535", {"127.0.0.1", 1, 65535, 1, false}},
        {"10.0.0.1:8000-8009:80-89/udp", {"10.0.0.1", 8000, 80, 10, true}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct published_port *expected = &cases[i].port;
        struct published_ports ports;

        assert_int_equal(parse(cases[i].text, &ports, NULL), 0);
        assert_int_equal(ports.count, 1);
        assert_string_equal(ports.items[0].address, expected->address);
        assert_int_equal(ports.items[0].host, expected->host);
        assert_int_equal(ports.items[0].guest, expected->guest);
        assert_int_equal(ports.items[0].count, expected->count);
        assert_int_equal(ports.items[0].udp, expected->udp);
    }
}

static void others_are_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "80",
        ":",
        "80:",
        ":80",
        "0:80",
        "80:0",
        "65536:80",
        "80:65536",
        "a:80",
        "80:80/",
        "80:80/sctp",
        "80:80/udp/x",
        "1.2.3:80:80",
        "localhost:80:80",
        "::1:80:80",
        "80-82:80-81",
        "82-80:82-80",
        "80-:80",
        "-80:80",
        "80:80:80",
        "1.2.3.4:5:6:7",
        " 80:80",
        "80:80 ",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        struct published_ports ports;
        struct error err = ERROR_INIT;

        if (parse(texts[i], &ports, &err) == 0)
            fail_msg("'%s' is accepted", texts[i]);
        assert_non_null(strstr(err.text, "--publish"));
    }
}

static void too_many_are_refused(void **state)
{
    AUTO_STRING_LIST struct string_list texts = {0};
    struct published_ports ports;

    (void)state;
    for (unsigned i = 0; i < PUBLISH_MAX + 1; i++)
        assert_int_equal(string_list_add_format(&texts, "%u:80", 1000 + i), 0);
    assert_int_equal(publish_parse(&texts, &ports, NULL), -E2BIG);
}

static void a_port_in_use_is_named(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct published_ports ports = {.count = 1};
    socklen_t size = sizeof(address);
    struct error err = ERROR_INIT;
    char expected[64];

    (void)state;
    for (unsigned udp = 0; udp < 2; udp++) {
        int fd = socket(AF_INET, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);

        address.sin_port = 0;
        assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
        if (!udp)
            assert_int_equal(listen(fd, 1), 0);
        /* The second of two is the one in use. */
        ports.items[0] = (struct published_port){"127.0.0.1", 0, 80, 2, udp};
        ports.items[0].host = (uint16_t)(ntohs(address.sin_port) - 1);
        assert_int_equal(publish_check(&ports, &err), -EADDRINUSE);
        snprintf(expected, sizeof(expected), "127.0.0.1:%u is in use", ntohs(address.sin_port));
        assert_non_null(strstr(err.text, expected));
        close(fd);
        ports.items[0].host = ntohs(address.sin_port);
        ports.items[0].count = 1;
        assert_int_equal(publish_check(&ports, NULL), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms),
        cmocka_unit_test(others_are_refused),
        cmocka_unit_test(too_many_are_refused),
        cmocka_unit_test(a_port_in_use_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
