/* SPDX-License-Identifier: Apache-2.0 */
/* Parses settings: lines `key=value`. */
#include "guest/init/options.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

/* Takes one setting; *options is what parse() was given. */
typedef int set_option(const char *key, const char *value, void *options, struct failure *failure);

static int parse(const void *settings, size_t size, char text[PROTOCOL_SETTINGS_MAX + 1],
                 set_option *set, void *options, struct failure *failure)
{
    char *line;

    if (size > PROTOCOL_SETTINGS_MAX)
        return failure_set(failure, "settings: larger than %d bytes", PROTOCOL_SETTINGS_MAX);
    memcpy(text, settings, size);
    text[size] = '\0';
    while ((line = strsep(&text, "\n"))) {
        char *value = strchr(line, '=');

        if (*line == '\0')
            continue;
        if (!value)
            return failure_set(failure, "settings: no '=' in: %s", line);
        *value++ = '\0';
        if (set(line, value, options, failure) < 0)
            return -1;
    }
    return 0;
}

static int parse_flag(const char *key, const char *value, bool *flag, struct failure *failure)
{
    if (strcmp(value, "0") != 0 && strcmp(value, "1") != 0)
        return failure_set(failure, "settings: %s is %s, not 0 or 1", key, value);
    *flag = value[0] == '1';
    return 0;
}

static int parse_address(const char *key, const char *value, in_addr_t *address,
                         struct failure *failure)
{
    struct in_addr parsed;

    if (inet_pton(AF_INET, value, &parsed) != 1)
        return failure_set(failure, "settings: %s is %s, not an IPv4 address", key, value);
    *address = parsed.s_addr;
    return 0;
}

/* "10.0.2.15/24" */
static int parse_interface_address(const char *value, struct machine_options *options,
                                   struct failure *failure)
{
    char text[INET_ADDRSTRLEN];
    size_t length = strcspn(value, "/");

    if (length >= sizeof(text))
        return failure_set(failure, "settings: address is %s", value);
    memcpy(text, value, length);
    text[length] = '\0';
    options->prefix = value[length] ? atoi(value + length + 1) : 32;
    if (options->prefix < 0 || options->prefix > 32)
        return failure_set(failure, "settings: address is %s", value);
    return parse_address("address", text, &options->address, failure);
}

static int set_machine_option(const char *key, const char *value, void *opaque,
                              struct failure *failure)
{
    struct machine_options *options = opaque;

    if (strcmp(key, "overlay") == 0) {
        options->overlay_on_disk = strcmp(value, "disk") == 0;
        if (!options->overlay_on_disk && strcmp(value, "tmpfs") != 0)
            return failure_set(failure, "settings: unknown overlay %s", value);
    } else if (strcmp(key, "hostname") == 0) {
        size_t size = strlen(value) + 1;

        if (size > sizeof(options->hostname))
            return failure_set(failure, "settings: the hostname is too long");
        memcpy(options->hostname, value, size);
    } else if (strcmp(key, "address") == 0) {
        return parse_interface_address(value, options, failure);
    } else if (strcmp(key, "gateway") == 0) {
        return parse_address(key, value, &options->gateway, failure);
    } else if (strcmp(key, "mtu") == 0) {
        options->mtu = atoi(value);
    }
    return 0;
}

static int add_runtime_option(const char *value, struct process_options *options,
                              struct failure *failure)
{
    for (unsigned i = 0; i < OPTIONS_RUNTIME_MAX; i++) {
        if (!options->runtime_options[i]) {
            options->runtime_options[i] = value;
            return 0;
        }
    }
    return failure_set(failure, "settings: more than %d runtime options", OPTIONS_RUNTIME_MAX);
}

static int set_process_option(const char *key, const char *value, void *opaque,
                              struct failure *failure)
{
    struct process_options *options = opaque;
    const struct {
        const char *key;
        bool *flag;
    } flags[] = {
        {"terminal", &options->terminal},
        {"stdin", &options->standard_input},
        {"trace", &options->trace},
        {"runtime_signals", &options->runtime_signals},
    };

    for (unsigned i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
        if (strcmp(key, flags[i].key) == 0)
            return parse_flag(key, value, flags[i].flag, failure);
    if (strcmp(key, "runtime_option") == 0)
        return add_runtime_option(value, options, failure);
    if (strcmp(key, "runtime") == 0)
        options->runtime = value;
    return 0;
}

int machine_options_parse(const void *settings, size_t size, struct machine_options *options,
                          struct failure *failure)
{
    char text[PROTOCOL_SETTINGS_MAX + 1];

    *options = (struct machine_options){.overlay_on_disk = false};
    return parse(settings, size, text, set_machine_option, options, failure);
}

int process_options_parse(const void *settings, size_t size, struct process_options *options,
                          struct failure *failure)
{
    memset(options, 0, sizeof(*options) - sizeof(options->text));
    options->runtime = PROTOCOL_RUNTIME;
    return parse(settings, size, options->text, set_process_option, options, failure);
}
