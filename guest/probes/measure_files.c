/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measures of files: reads of the root file system, writes and reads of the writable layer.
 *
 * Before each sample of reading, the sandbox's kernel drops the file's pages from its page cache,
 * so that the storage is measured and not that cache. The host's page cache stays as it is: a
 * sandbox cannot drop it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest/probes/measure.h"

#define CHUNK        65536u
#define BLOCK        4096u
#define READ_MAX     (UINT64_C(32) << 20) /* of a file, for a sample */
#define RANDOM_COUNT 256u
#define LAYER_BYTES  (UINT64_C(16) << 20)
#define ENTRIES_MAX  50000
#define DEPTH_MAX    12

static char buffer[CHUNK];

static uint64_t random_block(uint64_t *state, uint64_t bytes)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u; /* Knuth's MMIX */
    return (*state >> 33) % (bytes / BLOCK) * BLOCK;
}

/* ---- the largest file ------------------------------------------------------------------------ */

/* In an overlay, files have device numbers of their own; directories have that of the root. */
struct search {
    dev_t device;
    unsigned entries;
    uint64_t size;
    char path[PATH_MAX];
};

/* `path` is the directory's name, without a slash at its end; it is restored at the end. */
static void search_directory(struct search *search, char path[PATH_MAX], unsigned depth)
{
    size_t length = strlen(path);
    DIR *directory = opendir(length > 0 ? path : "/");
    const struct dirent *entry;

    while (directory && (entry = readdir(directory)) && search->entries < ENTRIES_MAX) {
        struct stat status;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            length + strlen(entry->d_name) + 2 > PATH_MAX)
            continue;
        search->entries++;
        snprintf(path + length, PATH_MAX - length, "/%s", entry->d_name);
        if (lstat(path, &status) == 0) {
            if (S_ISDIR(status.st_mode)) {
                if (status.st_dev == search->device && depth < DEPTH_MAX)
                    search_directory(search, path, depth + 1);
            } else if (S_ISREG(status.st_mode) && (uint64_t)status.st_size > search->size &&
                       access(path, R_OK) == 0) {
                search->size = (uint64_t)status.st_size;
                memcpy(search->path, path, strlen(path) + 1);
            }
        }
    }
    path[length] = '\0';
    if (directory)
        closedir(directory);
}

/* ---- reading and writing --------------------------------------------------------------------- */

/* Best effort: a file system in memory has no cache to drop. */
static void forget(int fd)
{
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}

static int read_through(int fd, uint64_t bytes)
{
    for (uint64_t at = 0; at < bytes;) {
        ssize_t count = pread(fd, buffer, CHUNK, (off_t)at);

        if (count <= 0)
            return -1;
        at += (uint64_t)count;
    }
    return 0;
}

static int read_randomly(int fd, uint64_t bytes, uint64_t *state)
{
    for (unsigned i = 0; i < RANDOM_COUNT; i++)
        if (pread(fd, buffer, BLOCK, (off_t)random_block(state, bytes)) <= 0)
            return -1;
    return 0;
}

static int write_through(int fd, uint64_t bytes)
{
    for (uint64_t at = 0; at < bytes; at += CHUNK)
        if (pwrite(fd, buffer, CHUNK, (off_t)at) != (ssize_t)CHUNK)
            return -1;
    return fdatasync(fd);
}

static int write_randomly(int fd, uint64_t bytes, uint64_t *state)
{
    for (unsigned i = 0; i < RANDOM_COUNT; i++)
        if (pwrite(fd, buffer, BLOCK, (off_t)random_block(state, bytes)) != (ssize_t)BLOCK)
            return -1;
    return fdatasync(fd);
}

enum access_kind { READ_SEQUENTIAL, READ_RANDOM, WRITE_SEQUENTIAL, WRITE_RANDOM };

static void sample(const char *name, enum access_kind kind, int fd, uint64_t bytes)
{
    uint64_t state = 1;

    for (int i = 0; i < MEASURE_SAMPLES; i++) {
        uint64_t start;
        uint64_t took;
        int rc = -1;

        forget(fd);
        start = measure_now_ns();
        if (kind == READ_SEQUENTIAL)
            rc = read_through(fd, bytes);
        else if (kind == READ_RANDOM)
            rc = read_randomly(fd, bytes, &state);
        else if (kind == WRITE_SEQUENTIAL)
            rc = write_through(fd, bytes);
        else
            rc = write_randomly(fd, bytes, &state);
        took = measure_now_ns() - start;
        if (rc < 0) {
            measure_write_errno(name, kind <= READ_RANDOM ? "read" : "write");
            return;
        }
        if (kind == READ_SEQUENTIAL || kind == WRITE_SEQUENTIAL)
            measure_write_rate(name, bytes, took);
        else
            measure_write_times(name, RANDOM_COUNT, took);
    }
}

void measure_root(void)
{
    static struct search search;
    char path[PATH_MAX] = "";
    char remark[PATH_MAX + 128];
    struct stat status;
    int fd;

    if (stat("/", &status) == 0)
        search.device = status.st_dev;
    search_directory(&search, path, 0);
    if (search.size < CHUNK) {
        measure_write_text("root_read", "error", "the image has no file of 64 KiB");
        measure_write_text("root_random_read", "error", "the image has no file of 64 KiB");
        return;
    }
    fd = open(search.path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        measure_write_errno("root_read", search.path);
        measure_write_errno("root_random_read", search.path);
        return;
    }
    if (search.size > READ_MAX)
        search.size = READ_MAX;
    snprintf(remark, sizeof(remark), "%llu KiB of %s, dropped from the page cache by posix_fadvise",
             (unsigned long long)search.size >> 10, search.path);
    measure_write_text("root_read", "remark", remark);
    sample("root_read", READ_SEQUENTIAL, fd, search.size);
    sample("root_random_read", READ_RANDOM, fd, search.size);
    close(fd);
}

/* A new file without a name in the writable layer of the root; -1 with errno. */
static int open_in_layer(char *directory, size_t size)
{
    static const char *const candidates[] = {"", "/var/tmp", "/tmp", "/home", "/root"};
    struct stat root;
    struct stat status;
    int code = EROFS;

    if (stat("/", &root) < 0)
        return -1;
    for (size_t i = 0; i < sizeof(candidates) / sizeof(candidates[0]); i++) {
        char path[64];
        int fd;

        snprintf(path, sizeof(path), "%s/.microvm-measure", candidates[i]);
        if (stat(i == 0 ? "/" : candidates[i], &status) < 0 || status.st_dev != root.st_dev)
            continue;
        fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd >= 0) {
            unlink(path);
            snprintf(directory, size, "%s/", candidates[i]);
            return fd;
        }
        code = errno;
    }
    errno = code;
    return -1;
}

void measure_layer(void)
{
    static const struct {
        const char *name;
        enum access_kind kind;
    } kinds[] = {
        {"layer_write", WRITE_SEQUENTIAL},
        {"layer_random_write", WRITE_RANDOM},
        {"layer_read", READ_SEQUENTIAL},
        {"layer_random_read", READ_RANDOM},
    };
    char directory[64];
    char remark[160];
    int fd = open_in_layer(directory, sizeof(directory));
    int code = errno;

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (fd >= 0) {
            sample(kinds[i].name, kinds[i].kind, fd, LAYER_BYTES);
        } else {
            errno = code;
            measure_write_errno(kinds[i].name, "no directory of the root is writable");
        }
    }
    if (fd < 0)
        return;
    snprintf(remark, sizeof(remark), "a file of %llu MiB in %s; a write ends with fdatasync",
             (unsigned long long)LAYER_BYTES >> 20, directory);
    measure_write_text("layer_write", "remark", remark);
    close(fd);
}
