/* SPDX-License-Identifier: Apache-2.0 */
/* Published ports; see publish.h. */
#include "vmm/network/publish.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/parse.h"

#define OPTION "--publish"

/* "80" or "80-89". */
static int parse_range(char *text, uint16_t *first, unsigned *count, struct error *err)
{
    char *last = text;
    uint64_t from;
    uint64_t to;
    int rc;

    strsep(&last, "-");
    rc = parse_u64(text, OPTION, 1, UINT16_MAX, &from, err);
    if (rc < 0)
        return rc;
    rc = parse_u64(last ? last : text, OPTION, from, UINT16_MAX, &to, err);
    if (rc < 0)
        return rc;
    *first = (uint16_t)from;
    *count = (unsigned)(to - from + 1);
    return 0;
}

static int bad_form(const char *text, struct error *err)
{
    return error_set(err, EINVAL, OPTION ": '%s' is not [IP:]HOST:GUEST[/tcp|udp]", text);
}

/* Takes "/udp" off the end. */
static int parse_protocol(char *copy, const char *text, struct published_port *port,
                          struct error *err)
{
    char *protocol = copy;

    strsep(&protocol, "/");
    port->udp = protocol && strcmp(protocol, "udp") == 0;
    return !protocol || port->udp || strcmp(protocol, "tcp") == 0 ? 0 : bad_form(text, err);
}

static int parse_one(const char *text, struct published_port *port, struct error *err)
{
    AUTO_FREE char *copy = strdup(text);
    struct in_addr address = {INADDR_ANY};
    unsigned guest_count;
    char *guest;
    char *host;
    int rc;

    if (!copy)
        return error_set_errno(err, ENOMEM, OPTION);
    rc = parse_protocol(copy, text, port, err);
    if (rc < 0)
        return rc;
    guest = strrchr(copy, ':');
    if (!guest)
        return bad_form(text, err);
    *guest++ = '\0';
    host = strrchr(copy, ':');
    if (host) {
        *host++ = '\0';
        if (inet_pton(AF_INET, copy, &address) != 1)
            return error_set(err, EINVAL, OPTION ": '%s' is not an IPv4 address", copy);
    }
    rc = parse_range(host ? host : copy, &port->host, &port->count, err);
    if (rc < 0)
        return rc;
    rc = parse_range(guest, &port->guest, &guest_count, err);
    if (rc < 0)
        return rc;
    if (guest_count != port->count)
        return error_set(err, EINVAL, OPTION ": '%s' has ranges of different lengths", text);
    inet_ntop(AF_INET, &address, port->address, sizeof(port->address));
    return 0;
}

int publish_parse(const struct string_list *texts, struct published_ports *ports, struct error *err)
{
    ports->count = 0;
    if (texts->count > PUBLISH_MAX)
        return error_set(err, E2BIG, OPTION ": at most %d times", PUBLISH_MAX);
    for (size_t i = 0; i < texts->count; i++) {
        int rc = parse_one(texts->items[i], &ports->items[i], err);

        if (rc < 0)
            return rc;
        ports->count++;
    }
    return 0;
}

static int check_one(const struct published_port *port, unsigned number, struct error *err)
{
    AUTO_CLOSE int fd = socket(AF_INET, (port->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)(port->host + number)),
    };
    const int reuse = 1; /* connections that are ending do not occupy it */

    if (fd < 0 || inet_pton(AF_INET, port->address, &address.sin_addr) != 1)
        return error_set_errno(err, errno, OPTION);
    if (!port->udp)
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof(reuse));
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
        (port->udp || listen(fd, 1) == 0))
        return 0;
    if (errno == EADDRINUSE)
        return error_set(err, EADDRINUSE, OPTION ": %s:%u is in use; choose another port",
                         port->address, port->host + number);
    return error_set_errno(err, errno, OPTION ": %s:%u", port->address, port->host + number);
}

int publish_check(const struct published_ports *ports, struct error *err)
{
    for (unsigned i = 0; i < ports->count; i++) {
        for (unsigned number = 0; number < ports->items[i].count; number++) {
            int rc = check_one(&ports->items[i], number, err);

            if (rc < 0)
                return rc;
        }
    }
    return 0;
}
