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
                         "--explain=live with -t would mix its lines with those of the command; "
                         "redirect them to a file with 2>FILE");
    if (!value || !*value || live)
        return 0;
    return error_set(
        err, EINVAL,
        "--explain: '%s' is not valid; write --explain=live, or --explain for a report at the end",
        value);
}

static void write_calls(const struct explanation *explanation, FILE *out)
{
    if (explanation->calls_unseen) {
        fprintf(out, "system calls: not available: %s\n", explanation->calls_unseen);
        return;
    }
    if (explanation->calls.count == 0) {
        fputs("system calls: not available: the container's init has not reported any\n", out);
        return;
    }
    syscall_table_write(&explanation->calls, out);
    fputs(
        "These are the calls of all processes of the container, from the command's own execve on.\n"
        "Time is from entry to return as a tracer (ptrace) sees it; it includes waiting and the\n"
        "tracer's own work. A call that never returns, such as exit_group, has no time.\n",
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
        fputs("exits to a monitor: none; the host's kernel executes the calls above itself\n", out);
}
