/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: the report of `run --explain`; see explain.h. */
#include "vmm/isolation/explain.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "vmm/instance/ledger.h"

int explain_check(const char *value, bool terminal, struct error *err)
{
    bool live = value && strcmp(value, "live") == 0;

    if (live && terminal && isatty(STDERR_FILENO))
        return error_set(err, EINVAL,
                         "--explain=live with -t: its lines would run into those of the command; "
                         "send them to a file by 2>FILE");
    if (!value || !*value || live)
        return 0;
    return error_set(err, EINVAL,
                     "--explain: '%s' is not live; --explain alone explains afterwards", value);
}

void explain_write(const struct explanation *explanation, const struct timeline *timeline,
                   FILE *out)
{
    const struct timeline_counts *counts = &timeline->counts[CONTROL_COUNTS_END];

    for (unsigned i = 0; i < counts->count; i++) {
        if (strcmp(counts->items[i].name, "narration.left_out") == 0 && counts->items[i].value > 0)
            fprintf(out, "narration: %" PRIu64 " lines left out, not read in time\n",
                    counts->items[i].value);
    }
    if (explanation->machine)
        ledger_write(counts, out);
}
