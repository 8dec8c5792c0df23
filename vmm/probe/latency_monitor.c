/* SPDX-License-Identifier: Apache-2.0 */
/* The noisy neighbour check on the host, and the watch on the monitor; see latency_monitor.h. */
#include "vmm/probe/latency_monitor.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/io.h"
#include "vmm/probe/probe_host.h"

#define TOUCH_SIZE  (1U << 20)
#define PAGE_SIZE   4096
#define PAUSE_NS    1000000L  /* between two loops, so that they use little time */
#define LOOK_EVERY  50        /* loops between two readings of the host's counters */
#define WATCH_NS    20000000L /* between two searches for the monitor */
#define STATUS_SIZE 4096

static void rest(long nanoseconds)
{
    const struct timespec pause = {0, nanoseconds};

    nanosleep(&pause, NULL);
}

static void one_loop(void)
{
    pid_t child = fork();
    unsigned char *memory;

    if (child == 0)
        _exit(0);
    if (child > 0)
        waitpid(child, NULL, 0);
    memory = mmap(NULL, TOUCH_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return;
    for (size_t at = 0; at < TOUCH_SIZE; at += PAGE_SIZE)
        memory[at] = 1;
    munmap(memory, TOUCH_SIZE);
}

static long long available_kib(void)
{
    AUTO_FCLOSE FILE *file = fopen("/proc/meminfo", "re");
    char line[128];
    long long value;

    while (file && fgets(line, sizeof(line), file)) {
        if (sscanf(line, "MemAvailable: %lld kB", &value) == 1)
            return value;
    }
    return -1;
}

static void read_counters(struct latency_sample *sample)
{
    long long available = available_kib();
    int processes = probe_host_processes();

    if (available >= 0 && (sample->available_kib < 0 || available < sample->available_kib))
        sample->available_kib = available;
    if (processes > sample->processes)
        sample->processes = processes;
}

static void *measure(void *opaque)
{
    struct latency_monitor *monitor = opaque;
    struct latency_sample *sample = &monitor->sample;
    uint64_t start = io_now_ns();

    while (!atomic_load(&monitor->stop)) {
        uint64_t begin = io_now_ns();
        uint64_t took;

        one_loop();
        took = io_now_ns() - begin;
        if (took > sample->worst_ns)
            sample->worst_ns = took;
        if (sample->loops++ % LOOK_EVERY == 0)
            read_counters(sample);
        rest(PAUSE_NS);
    }
    sample->elapsed_ns = io_now_ns() - start;
    return NULL;
}

int latency_monitor_start(struct latency_monitor *monitor, struct error *err)
{
    int code;

    *monitor = (struct latency_monitor){.sample = {.available_kib = -1, .processes = -1}};
    code = pthread_create(&monitor->thread, NULL, measure, monitor);
    return code ? error_set_errno(err, code, "probe: the latency monitor on the host") : 0;
}

struct latency_sample latency_monitor_stop(struct latency_monitor *monitor)
{
    atomic_store(&monitor->stop, true);
    pthread_join(monitor->thread, NULL);
    return monitor->sample;
}

int latency_monitor_run(unsigned milliseconds, struct latency_sample *sample, struct error *err)
{
    struct latency_monitor monitor;
    int rc = latency_monitor_start(&monitor, err);

    if (rc < 0)
        return rc;
    for (unsigned i = 0; i < milliseconds; i++)
        rest(1000000L);
    *sample = latency_monitor_stop(&monitor);
    return 0;
}

unsigned latency_monitor_rate(const struct latency_sample *sample)
{
    return sample->elapsed_ns ? (unsigned)(sample->loops * 1000000000ULL / sample->elapsed_ns) : 0;
}

/* ---- the monitor ----------------------------------------------------------------------------- */

/* The number behind "NAME:" in /proc/PID/status; -1 = missing. */
static int status_number(const char *text, const char *name)
{
    const char *at = strstr(text, name);

    return at ? atoi(at + strlen(name)) : -1;
}

static bool is_monitor(const char *pid)
{
    AUTO_FREE char *text = NULL;
    char path[64];
    size_t size;

    snprintf(path, sizeof(path), "/proc/%.20s/cmdline", pid);
    return io_read_file(AT_FDCWD, path, STATUS_SIZE, &text, &size, NULL) == 0 &&
           strlen(text) + 1 < size && strcmp(text + strlen(text) + 1, "__monitor") == 0;
}

static void look_for_monitor(struct monitor_watch *watch, int run)
{
    DIR *directory = opendir("/proc");
    const struct dirent *entry;

    while (directory && (entry = readdir(directory))) {
        AUTO_FREE char *text = NULL;
        char path[64];
        size_t size;
        int seccomp;

        if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
            continue;
        snprintf(path, sizeof(path), "/proc/%.20s/status", entry->d_name);
        if (io_read_file(AT_FDCWD, path, STATUS_SIZE, &text, &size, NULL) < 0 ||
            status_number(text, "\nPPid:") != run || !is_monitor(entry->d_name))
            continue;
        seccomp = status_number(text, "\nSeccomp:");
        if (seccomp > watch->seccomp)
            watch->seccomp = seccomp;
    }
    if (directory)
        closedir(directory);
}

static void *watch_monitor(void *opaque)
{
    struct monitor_watch *watch = opaque;

    while (!atomic_load(&watch->stop) && watch->seccomp < 2) {
        int run = atomic_load(&watch->run);

        if (run > 0)
            look_for_monitor(watch, run);
        rest(WATCH_NS);
    }
    return NULL;
}

int monitor_watch_start(struct monitor_watch *watch, struct error *err)
{
    int code;

    *watch = (struct monitor_watch){.seccomp = -1};
    code = pthread_create(&watch->thread, NULL, watch_monitor, watch);
    return code ? error_set_errno(err, code, "probe: the watch on the monitor") : 0;
}

int monitor_watch_stop(struct monitor_watch *watch)
{
    atomic_store(&watch->stop, true);
    pthread_join(watch->thread, NULL);
    return watch->seccomp;
}
