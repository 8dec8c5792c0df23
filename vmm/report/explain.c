/* SPDX-License-Identifier: Apache-2.0 */
/* The report of `run --explain`; see explain.h. */
#include "vmm/report/explain.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "vmm/report/exit_statistics.h"

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

static void write_calls(const struct explanation *explanation, FILE *out)
{
    if (explanation->calls_unseen) {
        fprintf(out, "system calls: not known: %s\n", explanation->calls_unseen);
        return;
    }
    if (explanation->calls.count == 0) {
        fputs("system calls: not known: the container's init has not told any\n", out);
        return;
    }
    syscall_table_write(&explanation->calls, out);
    fputs("Of all processes of the container, from the command's own execve on; time is from entry "
          "to\n"
          "return as a tracer (ptrace) sees it: waiting, and the tracer's own work, are in it. A "
          "call\n"
          "that never returns, as exit_group, has no time.\n",
          out);
}

void explain_write(const struct explanation *explanation, const struct timeline *timeline,
                   FILE *out)
{
    const struct timeline_counts *counts = &timeline->counts[CONTROL_COUNTS_END];

    for (unsigned i = 0; i < counts->count; i++) {
        if (strcmp(counts->items[i].name, "trace.dropped") == 0 && counts->items[i].value > 0)
            fprintf(out, "trace: %" PRIu64 " lines dropped, not read in time\n",
                    counts->items[i].value);
    }
    write_calls(explanation, out);
    if (explanation->machine)
        exit_statistics_write(counts, out);
    else
        fputs(
            "exits to a monitor: there is none; the host's kernel answers the calls above itself\n",
            out);
}
