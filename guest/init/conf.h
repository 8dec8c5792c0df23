/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: init.conf, the host's few words to init; its keys are listed in guest/protocol.h. */
#ifndef MICROVM_GUEST_INIT_CONF_H
#define MICROVM_GUEST_INIT_CONF_H

#include <stdbool.h>

#include "guest/init/failure.h"

#define CONF_SIZE_MAX 4096

struct conf {
    bool terminal;
    bool standard_input;
    bool overlay_on_disk;
    char hostname[65]; /* as long as Linux allows, and a NUL */
};

/* Parses `text`, which is changed. Unknown keys and bad values are failures. */
int conf_parse(char *text, struct conf *conf, struct failure *failure);

/* Reads and parses PROTOCOL_CONF_PATH. */
int conf_read(struct conf *conf, struct failure *failure);

#endif
