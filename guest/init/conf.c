/* SPDX-License-Identifier: Apache-2.0 */
/* Reads init.conf: lines `key=value`. */
#include "guest/init/conf.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "guest/protocol.h"

static int parse_flag(const char *key, const char *value, bool *flag, struct failure *failure)
{
    if (strcmp(value, "0") != 0 && strcmp(value, "1") != 0)
        return failure_set(failure, "%s: %s is %s, not 0 or 1", PROTOCOL_CONF_PATH, key, value);
    *flag = value[0] == '1';
    return 0;
}

static int add_option(const char *value, struct conf *conf, struct failure *failure)
{
    for (unsigned i = 0; i < CONF_OPTIONS_MAX; i++) {
        if (!conf->runtime_options[i]) {
            conf->runtime_options[i] = value;
            return 0;
        }
    }
    return failure_set(failure, "%s: too many runtime options", PROTOCOL_CONF_PATH);
}

static int parse_entry(const char *key, const char *value, struct conf *conf,
                       struct failure *failure)
{
    if (strcmp(key, "terminal") == 0)
        return parse_flag(key, value, &conf->terminal, failure);
    if (strcmp(key, "stdin") == 0)
        return parse_flag(key, value, &conf->standard_input, failure);
    if (strcmp(key, "trace") == 0)
        return parse_flag(key, value, &conf->trace, failure);
    if (strcmp(key, "overlay") == 0) {
        conf->overlay_on_disk = strcmp(value, "disk") == 0;
        if (!conf->overlay_on_disk && strcmp(value, "tmpfs") != 0)
            return failure_set(failure, "%s: unknown overlay %s", PROTOCOL_CONF_PATH, value);
        return 0;
    }
    if (strcmp(key, "hostname") == 0) {
        size_t size = strlen(value) + 1;

        if (size > sizeof(conf->hostname))
            return failure_set(failure, "%s: hostname is too long", PROTOCOL_CONF_PATH);
        memcpy(conf->hostname, value, size);
        return 0;
    }
    if (strcmp(key, "runtime") == 0) {
        conf->runtime = value;
        return 0;
    }
    if (strcmp(key, "runtime_option") == 0)
        return add_option(value, conf, failure);
    if (strcmp(key, "runtime_signals") == 0)
        return parse_flag(key, value, &conf->runtime_signals, failure);
    return failure_set(failure, "%s: unknown key %s", PROTOCOL_CONF_PATH, key);
}

int conf_parse(char *text, struct conf *conf, struct failure *failure)
{
    char *line;

    *conf = (struct conf){.directory = "", .runtime = PROTOCOL_RUNTIME};
    while ((line = strsep(&text, "\n"))) {
        char *value = strchr(line, '=');

        if (*line == '\0')
            continue;
        if (!value)
            return failure_set(failure, "%s: no '=' in: %s", PROTOCOL_CONF_PATH, line);
        *value++ = '\0';
        if (parse_entry(line, value, conf, failure) < 0)
            return -1;
    }
    return 0;
}

int conf_read(const char *directory, struct conf *conf, struct failure *failure)
{
    static char text[CONF_SIZE_MAX + 1];
    char path[CONF_PATH_MAX];
    ssize_t size;
    int fd;

    snprintf(path, sizeof(path), "%s%s", directory, PROTOCOL_CONF_PATH);
    fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return failure_set_errno(failure, "%s", path);
    size = read(fd, text, sizeof(text));
    close(fd);
    if (size < 0)
        return failure_set_errno(failure, "%s", PROTOCOL_CONF_PATH);
    if (size > CONF_SIZE_MAX)
        return failure_set(failure, "%s: is larger than %d bytes", PROTOCOL_CONF_PATH,
                           CONF_SIZE_MAX);
    text[size] = '\0';
    if (conf_parse(text, conf, failure) < 0)
        return -1;
    conf->directory = directory;
    return 0;
}
