/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: the report of `run --explain`; see explain.h. */
#include "vmm/isolation/explain.h"

#include <errno.h>
#include <string.h>

#include "vmm/instance/ledger.h"

int explain_check(const char *value, struct error *err)
{
    if (!value || !*value || strcmp(value, "live") == 0)
        return 0;
    return error_set(err, EINVAL,
                     "--explain: '%s' is not live; --explain alone explains afterwards", value);
}

void explain_write(const struct explanation *explanation, const struct timeline *timeline,
                   FILE *out)
{
    if (explanation->machine)
        ledger_write(&timeline->counts[CONTROL_COUNTS_END], out);
}
