/* SPDX-License-Identifier: Apache-2.0 */
/* The checks of `probe`, from the table that the program inside shares: guest/probes/checks.h. */
#include "guest/probes/checks.h"

#include "vmm/base/bytes.h"
#include "vmm/probe/probe_verdict.h"

#define CHECK_ROW(check, heading, text, whom, namespace_link, what, effects)                       \
    {.name = #check,                                                                               \
     .group = (heading),                                                                           \
     .title = (text),                                                                              \
     .kind = PROBE_##whom,                                                                         \
     .space = (namespace_link),                                                                    \
     .tries = (what),                                                                              \
     .side_effects = (effects)},

const struct probe_check probe_checks[] = {CHECKS(CHECK_ROW)};

const size_t probe_check_count = ARRAY_LENGTH(probe_checks);
