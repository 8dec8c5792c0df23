/* SPDX-License-Identifier: Apache-2.0 */
/* init.conf, the host's few words to init; its keys are listed in guest/protocol.h. */
#ifndef MICROVM_GUEST_INIT_CONF_H
#define MICROVM_GUEST_INIT_CONF_H

#include <stdbool.h>

#include "guest/init/failure.h"

#define CONF_SIZE_MAX    8192
#define CONF_PATH_MAX    4096
#define CONF_OPTIONS_MAX 8

struct conf {
    const char *directory; /* "" in a machine, the instance's directory on a host */
    bool terminal;
    bool standard_input;
    bool overlay_on_disk;
    bool trace;
    char hostname[65]; /* as long as Linux allows, and a NUL */
    /* Within the text that was parsed. */
    const char *runtime;
    const char *runtime_options[CONF_OPTIONS_MAX + 1]; /* null at the end */
    bool runtime_signals;
};

/* Parses `text`, which is changed and must outlive *conf. Unknown keys and bad values are failures.
 */
int conf_parse(char *text, struct conf *conf, struct failure *failure);

/* Reads and parses PROTOCOL_CONF_PATH in `directory`, which must outlive *conf. Once a process. */
int conf_read(const char *directory, struct conf *conf, struct failure *failure);

#endif
