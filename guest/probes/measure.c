/* SPDX-License-Identifier: Apache-2.0 */
/* The subcommand `measure`: the cost of operations in this sandbox; see measure.h. */
#include "guest/probes/measure.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "guest/probes/json_line.h"
#include "guest/probes/subcommands.h"

#define SAMPLE_MIN_NS 5000000u
#define COUNT_MAX     (UINT64_C(1) << 24)

static struct json_line line;

uint64_t measure_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void measure_write_times(const char *name, uint64_t count, uint64_t took_ns)
{
    json_begin(&line);
    json_text(&line, "measure", name);
    json_number(&line, "ps", (int64_t)((double)took_ns * 1000 / (double)count));
    json_end(&line);
}

void measure_write_rate(const char *name, uint64_t bytes, uint64_t took_ns)
{
    json_begin(&line);
    json_text(&line, "measure", name);
    json_number(&line, "bytes_per_second",
                (int64_t)((double)bytes * 1e9 / (double)(took_ns > 0 ? took_ns : 1)));
    json_end(&line);
}

void measure_write_text(const char *name, const char *kind, const char *text)
{
    json_begin(&line);
    json_text(&line, "measure", name);
    json_text(&line, kind, text);
    json_end(&line);
}

void measure_write_errno(const char *name, const char *what)
{
    int code = errno;

    json_begin(&line);
    json_text(&line, "measure", name);
    json_format(&line, "error", "%s: %s", what, strerror(code));
    json_end(&line);
}

void measure_repeatedly(const char *name, measure_operation *operation, void *opaque)
{
    uint64_t count = 1;
    uint64_t took_ns = 0;

    while (took_ns < SAMPLE_MIN_NS && count < COUNT_MAX) {
        uint64_t start = measure_now_ns();

        if (operation(opaque, count) < 0) {
            measure_write_errno(name, "cannot be measured");
            return;
        }
        took_ns = measure_now_ns() - start;
        if (took_ns < SAMPLE_MIN_NS)
            count *= took_ns < SAMPLE_MIN_NS / 8 ? 8 : 2;
    }
    for (int i = 0; i < MEASURE_SAMPLES; i++) {
        uint64_t start = measure_now_ns();

        if (operation(opaque, count) < 0) {
            measure_write_errno(name, "cannot be measured");
            return;
        }
        measure_write_times(name, count, measure_now_ns() - start);
    }
}

/* Arguments: the groups; none = all. */
int cmd_measure(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*measure)(void);
    } groups[] = {{"calls", measure_calls}, {"root", measure_root}, {"layer", measure_layer}};

    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        int wanted = argc == 0;

        for (int j = 0; j < argc; j++)
            wanted |= strcmp(argv[j], groups[i].name) == 0;
        if (wanted)
            groups[i].measure();
    }
    return 0;
}

/* What measure_calls() executes to measure fork and exec. */
int cmd_nothing(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return 0;
}
