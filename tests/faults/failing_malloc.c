/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An allocator that fails when it is told to: linked into a program, it counts allocations of all
 * processes whose program lies in one directory, and lets the Nth of them fail. Counter and N are
 * in a file named `allocations` in that directory; without it nothing fails.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct state {
    uint64_t count, target;
    char where[48]; /* the program in which one has failed */
};

static struct state *state;
static char program[PATH_MAX];

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);

__attribute__((constructor)) static void attach(void)
{
    static const char file[] = "/allocations";
    ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - sizeof(file));
    char path[PATH_MAX + sizeof(file)];
    char *slash;
    void *mapped;
    int fd;

    program[length > 0 ? length : 0] = '\0';
    slash = strrchr(program, '/');
    if (!slash)
        return;
    memcpy(path, program, (size_t)(slash - program));
    memcpy(path + (slash - program), file, sizeof(file));
    fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return;
    mapped = mmap(NULL, sizeof(*state), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (mapped != MAP_FAILED)
        state = mapped;
}

static int fails(void)
{
    const char *name;

    if (!state || __atomic_add_fetch(&state->count, 1, __ATOMIC_RELAXED) != state->target)
        return 0;
    name = strrchr(program, '/') + 1;
    strncpy(state->where, name, sizeof(state->where) - 1);
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    return fails() ? NULL : __libc_realloc(memory, size);
}

void *reallocarray(void *memory, size_t count, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(memory, bytes);
}
