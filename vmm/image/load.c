/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Start and end an import; see load.h.
 *
 * The source is opened here, with the rights of the user; a directory tmp/NAME of the store is
 * created here, and locked until the end of the process. Then microvm-import reads the source, and
 * requests all that it needs (load_serve.c). Its results are verified and moved into place after it
 * has exited (load_commit.c).
 */
#include "vmm/image/load.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/base/bytes.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/io.h"
#include "vmm/base/program_file.h"
#include "vmm/base/spawn.h"
#include "vmm/image/load_private.h"

static bool is_stream(const struct load_options *options)
{
    return strcmp(options->path, "-") == 0;
}

char *load_base_name(const char *path)
{
    static const char *const endings[] = {".gz",  ".zst", ".xz",  ".bz2",
                                          ".tgz", ".tar", ".oci", ".docker"};
    AUTO_FREE char *resolved = realpath(path, NULL);
    AUTO_FREE char *base = resolved ? strdup(strrchr(resolved, '/') + 1) : NULL;
    size_t used = 0;

    if (!base)
        return NULL;
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        size_t length = strlen(base);
        size_t ending = strlen(endings[i]);

        if (length > ending && strcmp(base + length - ending, endings[i]) == 0)
            base[length - ending] = '\0';
    }
    for (const char *at = base; *at && used < 128; at++) {
        char c = *at >= 'A' && *at <= 'Z' ? (char)(*at | 0x20) : *at;

        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
            base[used++] = c;
        else if (used > 0 && base[used - 1] != '-')
            base[used++] = '-';
    }
    while (used > 0 && base[used - 1] == '-')
        used--;
    base[used] = '\0';
    return used ? steal_pointer(base) : NULL;
}

/* The name of a pipe, for instance /dev/fd/63, is not used as the image's name. */
static bool has_lasting_name(const struct load *load)
{
    struct stat status;

    return !is_stream(load->options) && fstat(load->source, &status) == 0 &&
           (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode));
}

static int add_arguments(struct string_list *arguments, const char *program,
                         const struct load *load)
{
    const struct load_options *options = load->options;
    const struct load_limits *limits = &options->limits;
    AUTO_FREE char *base = has_lasting_name(load) ? load_base_name(options->path) : NULL;
    int rc = string_list_add(arguments, program);

    rc |= string_list_add(arguments, "load");
    if (options->name) {
        rc |= string_list_add(arguments, "--name");
        rc |= string_list_add(arguments, options->name);
    }
    if (base) {
        rc |= string_list_add(arguments, "--base");
        rc |= string_list_add(arguments, base);
    }
    if (options->unnamed)
        rc |= string_list_add(arguments, "--unnamed");
    rc |= string_list_add_format(arguments, "%" PRIu64, limits->space);
    rc |= string_list_add_format(arguments, "%" PRIu64, limits->ratio);
    rc |= string_list_add_format(arguments, "%" PRIu64, limits->entries);
    rc |= string_list_add_format(arguments, "%" PRIu64, limits->images);
    rc |= string_list_add_format(arguments, "%" PRIu64, limits->seconds);
    return rc;
}

static int start_program(const struct load *load, int channel, pid_t *pid, struct error *err)
{
    AUTO_FREE char *program = NULL;
    AUTO_STRING_LIST struct string_list arguments = {0};
    const struct spawn_descriptor descriptors[] = {{0, load->source}, {1, channel}, {2, channel}};
    struct spawn spawn = {.descriptors = descriptors,
                          .descriptor_count = ARRAY_LENGTH(descriptors)};
    int rc = program_file_find(&program_file_import, load->options->program, &program, err);

    if (rc < 0)
        return rc;
    if (add_arguments(&arguments, program, load) < 0)
        return error_set_errno(err, ENOMEM, "%s", program);
    spawn.program = program;
    spawn.arguments = (const char *const *)arguments.items;
    return spawn_start(&spawn, pid, err);
}

static int open_source(struct load *load, struct error *err)
{
    struct stat status;
    int mode;

    load->source = is_stream(load->options)
                       ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
                       : open(load->options->path, O_RDONLY | O_NOCTTY | O_CLOEXEC);
    if (load->source < 0 || fstat(load->source, &status) < 0)
        return error_set_errno(err, errno, "cannot open");
    if (S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode))
        return error_set(err, EINVAL, "is %s, neither an archive nor a directory",
                         isatty(load->source)      ? "a terminal"
                         : S_ISCHR(status.st_mode) ? "a character device"
                                                   : "a block device");
    mode = fcntl(load->source, F_GETFL);
    if (S_ISREG(status.st_mode) && (mode & O_ACCMODE) != O_RDONLY) {
        /* The import may only read it, even if the descriptor allows more. */
        AUTO_FREE char *path = NULL;
        int fd = -1;

        if (asprintf(&path, "/proc/self/fd/%d", load->source) < 0)
            path = NULL;
        else
            fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return error_set_errno(err, errno, "cannot open for reading only");
        close(load->source);
        load->source = fd;
    }
    return 0;
}

static int make_directory(struct load *load, const struct store *store, struct error *err)
{
    char path[64];
    uint64_t number;

    do {
        if (getrandom(&number, sizeof(number), 0) != sizeof(number))
            return error_set_errno(err, errno, "import");
        snprintf(load->name, sizeof(load->name), "%016" PRIx64, number);
        snprintf(path, sizeof(path), "tmp/%s", load->name);
        if (mkdirat(store_directory(store), path, 0700) < 0 && errno != EEXIST)
            return error_set_errno(err, errno, "image store %s: tmp", store_path(store));
        load->directory =
            openat(store_directory(store), path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    } while (load->directory >= 0 && flock(load->directory, LOCK_EX | LOCK_NB) < 0);
    if (load->directory < 0)
        return error_set_errno(err, errno, "image store %s: %s", store_path(store), path);
    return 0;
}

static int begin(struct load *load, struct error *err)
{
    AUTO_STORE struct store *store = NULL;
    struct store_pruned ignored = {0};
    int rc = store_open(load->options->store, STORE_WRITE, &store, err);

    if (rc < 0)
        return rc;
    rc = store_sweep_imports(store, &ignored, err);
    return rc < 0 ? rc : make_directory(load, store, err);
}

static void end(struct load *load)
{
    AUTO_FREE char *path = NULL;

    for (size_t i = 0; load->directory >= 0 && i < load->count; i++) {
        char name[24];

        snprintf(name, sizeof(name), "%zu", i);
        unlinkat(load->directory, name, 0);
    }
    if (load->directory < 0 || asprintf(&path, "%s/tmp/%s", load->options->store, load->name) < 0)
        path = NULL;
    else
        rmdir(path);
    cleanup_close(&load->directory);
}

static int wait_for_end(pid_t pid, struct error *err)
{
    int status;
    int rc = spawn_wait(pid, &status);

    if (rc < 0)
        return error_set_errno(err, -rc, "microvm-import");
    if (WIFSIGNALED(status))
        return error_set(err, ECHILD, "the import was ended by signal %d (%s)", WTERMSIG(status),
                         strsignal(WTERMSIG(status)));
    if (WEXITSTATUS(status) != 0)
        return error_set(err, ECHILD, "the import ended with status %d", WEXITSTATUS(status));
    return 0;
}

/* Runs the program that reads the source until it ends. */
static int read_source(struct load *load, load_start_fn *start, struct error *err)
{
    struct error death = ERROR_INIT;
    AUTO_CLOSE int ours = -1;
    AUTO_CLOSE int channel = -1;
    int pair[2];
    pid_t pid = -1;
    int rc;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return error_set_errno(err, errno, "microvm-import");
    ours = pair[0];
    channel = pair[1];
    rc = start(load, channel, &pid, err);
    if (rc < 0)
        return rc;
    if (pid >= 0)
        close(steal_fd(&channel)); /* so that the end of the import is noticed */
    rc = load_serve(load, ours, err);
    if (pid < 0)
        return rc;
    if (rc < 0 || load->failure.code)
        kill(pid, SIGKILL);
    /* From here on no other process has its files open. */
    if (wait_for_end(pid, &death) < 0 && rc == 0 && !load->failure.code)
        return error_set(err, death.code, "%s", death.text);
    return rc;
}

static int run(struct load *load, load_start_fn *start, struct error *err)
{
    int rc = begin(load, err);

    if (rc < 0)
        return rc;
    rc = read_source(load, start, err);
    if (rc < 0)
        return rc;
    if (load->failure.code)
        return error_set(err, load->failure.code, "%s", load->failure.text);
    if (!load->has_ended)
        return error_set(err, ECHILD, "the import ended without a result");
    if (load->image_count == 0)
        return error_set(err, EPROTO, "microvm-import reported no image");
    return load_commit(load, err);
}

/* Blocks the signals that would end the process during the import; `before` gets the old mask. */
static void block_stops(sigset_t *stops, sigset_t *before)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action;

    sigemptyset(stops);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        /* An ignored signal does not end the process. */
        if (sigaction(signals[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
            sigaddset(stops, signals[i]);
    }
    sigprocmask(SIG_BLOCK, stops, before);
}

static int run_blocked(struct load *load, load_start_fn *start, struct error *err)
{
    sigset_t before;
    int rc;

    block_stops(&load->stops, &before);
    rc = run(load, start, err);
    end(load);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return rc;
}

static int list_images(const struct load *load, struct string_list *ids, struct string_list *names,
                       struct error *err)
{
    for (size_t i = 0; i < load->image_count; i++) {
        if (string_list_add(ids, load->images[i].config_digest) < 0 ||
            (names && string_list_add(names, load->images[i].name) < 0))
            return error_set_errno(err, ENOMEM, "import");
    }
    return 0;
}

static void release(struct load *load)
{
    cleanup_close(&load->source);
    free(load->images);
    free(load->files);
}

#define AUTO_LOAD __attribute__((cleanup(release)))

static int load_all(const struct load_options *options, load_start_fn *start,
                    struct string_list *ids, struct string_list *names, struct error *err)
{
    AUTO_LOAD struct load load = {
        .options = options,
        .directory = -1,
        .source = -1,
        .deadline = io_now_ns() + options->limits.seconds * 1000000000ULL,
    };
    int rc = open_source(&load, err); /* a pipe may wait for its writer, and be interrupted */

    if (rc < 0)
        return rc;
    rc = run_blocked(&load, start, err);
    if (rc < 0)
        return rc;
    if (options->kind)
        *options->kind = load.kind;
    return list_images(&load, ids, names, err);
}

int load_run(const struct load_options *options, load_start_fn *start, struct string_list *ids,
             struct string_list *names, struct error *err)
{
    int rc = load_all(options, start, ids, names, err);

    if (rc < 0)
        return error_wrap(err, rc, "%s", is_stream(options) ? "standard input" : options->path);
    return 0;
}

int image_load(const struct load_options *options, struct string_list *ids,
               struct string_list *names, struct error *err)
{
    return load_run(options, start_program, ids, names, err);
}
