/* SPDX-License-Identifier: Apache-2.0 */
/* Namespaces; see namespaces.h. */
#include "vmm/confine/namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/base/bytes.h"

#define ALL (CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC)

int namespaces_flags(unsigned attempt)
{
    static const int of_root[] = {ALL, ALL | CLONE_NEWUSER, 0};
    static const int of_others[] = {ALL | CLONE_NEWUSER, 0};

    if (geteuid() == 0)
        return attempt < ARRAY_LENGTH(of_root) ? of_root[attempt] : -1;
    return attempt < ARRAY_LENGTH(of_others) ? of_others[attempt] : -1;
}

/* The child shares its parent's memory: no allocation, no stdio. */
__attribute__((no_sanitize("address"))) static int write_file(const char *path, const char *text,
                                                              size_t size)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    ssize_t count = fd < 0 ? -1 : write(fd, text, size);

    if (fd >= 0)
        close(fd);
    return count == (ssize_t)size ? 0 : -1;
}

/* "0 ID 1" */
__attribute__((no_sanitize("address"))) static int write_map(const char *path, unsigned id)
{
    char text[16] = "0 ";
    char digits[12];
    size_t used = 2;
    unsigned count = 0;

    do
        digits[count++] = (char)('0' + id % 10);
    while ((id /= 10) > 0);
    while (count > 0)
        text[used++] = digits[--count];
    text[used++] = ' ';
    text[used++] = '1';
    return write_file(path, text, used);
}

int namespaces_map_user(int flags, unsigned uid, unsigned gid)
{
    if (!(flags & CLONE_NEWUSER))
        return 0;
    if (write_file("/proc/self/setgroups", "deny", 4) < 0 && errno != ENOENT)
        return -1;
    if (write_map("/proc/self/uid_map", uid) < 0)
        return -1;
    return write_map("/proc/self/gid_map", gid);
}

static int fail(const char *what, struct error *err)
{
    return error_set_errno(err, errno, "empty root: %s", what);
}

int namespaces_empty_root(struct error *err)
{
    /* Any directory can be the mount point; these exist almost everywhere. */
    static const char *const places[] = {"/proc", "/tmp", "/dev", "/sys"};
    size_t i = 0;

    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return fail("mount", err);
    while (mount("empty", places[i], "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY,
                 "size=4k,nr_inodes=1,mode=0") < 0)
        if (++i == ARRAY_LENGTH(places))
            return fail("tmpfs", err);
    if (chdir(places[i]) < 0)
        return fail(places[i], err);
    if (syscall(SYS_pivot_root, ".", ".") == 0) {
        if (umount2(".", MNT_DETACH) < 0) /* the old one, which is on top now */
            return fail("umount", err);
    } else if (chroot(".") < 0) {
        return fail("chroot", err);
    }
    return chdir("/") < 0 ? fail("chdir", err) : 0;
}
