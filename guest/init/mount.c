/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's file systems, from the bare initramfs to the container's root.
 *
 * The kernel refuses pivot_root(2) out of the initramfs itself, because that mount has no parent.
 * So the initramfs is bind-mounted once more, moved on top of / and entered: the same files, but
 * a mount that a runtime can pivot away from. /bin is made read-only, which spares the runtime a
 * protective copy of its own executable (CVE-2019-5736).
 *
 * The directories used here are made by guest/make-initramfs.
 */
#include "guest/init/mount.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest/protocol.h"

#define LOWER   "/lower"
#define OVERLAY "/overlay"
#define UPPER   OVERLAY "/upper"
#define WORK    OVERLAY "/work"

static int mount_one(const char *source, const char *target, const char *type, unsigned long flags,
                     const char *options, struct failure *failure)
{
    if (mount(source, target, type, flags, options) < 0)
        return failure_set_errno(failure, "mount %s at %s", source, target);
    return 0;
}

static int enter_pivotable_root(struct failure *failure)
{
    if (mount_one("/", "/mnt", NULL, MS_BIND, NULL, failure) < 0)
        return -1;
    if (chdir("/mnt") < 0)
        return failure_set_errno(failure, "chdir /mnt");
    if (mount_one(".", "/", NULL, MS_MOVE, NULL, failure) < 0)
        return -1;
    if (chroot(".") < 0)
        return failure_set_errno(failure, "chroot");
    return 0;
}

static int protect_programs(struct failure *failure)
{
    if (mount_one("/bin", "/bin", NULL, MS_BIND, NULL, failure) < 0)
        return -1;
    return mount_one("/bin", "/bin", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL, failure);
}

int mount_system(struct failure *failure)
{
    static const struct {
        const char *type;
        const char *target;
        unsigned long flags;
        const char *options;
    } table[] = {
        {"proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL},
        {"devtmpfs", "/dev", MS_NOSUID, NULL},
        {"sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL},
        {"cgroup2", "/sys/fs/cgroup", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL},
    };

    if (enter_pivotable_root(failure) < 0 || protect_programs(failure) < 0)
        return -1;
    for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (mount_one(table[i].type, table[i].target, table[i].type, table[i].flags,
                      table[i].options, failure) < 0)
            return -1;
    return 0;
}

static int make_directory(const char *path, struct failure *failure)
{
    if (mkdir(path, 0755) < 0)
        return failure_set_errno(failure, "mkdir %s", path);
    return 0;
}

/* The overlay's root directory shows the attributes of the upper layer's: give it the image's. */
static int copy_root_attributes(struct failure *failure)
{
    struct stat status;

    if (stat(LOWER, &status) < 0 || chown(UPPER, status.st_uid, status.st_gid) < 0 ||
        chmod(UPPER, status.st_mode & 07777) < 0)
        return failure_set_errno(failure, "attributes of the container's root");
    return 0;
}

/*
 * A squashfs reads whole blocks of 32 KiB whatever it is asked for. Linux asks it for 128 KiB
 * around each page that a program touches, which for most programs is all of them.
 *
 * After the mount, with which newer kernels set their own again. A failure costs only time.
 */
static void read_little_ahead(const char *disk)
{
    int fd = open(disk, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return;
    ioctl(fd, BLKRASET, PROTOCOL_READ_AHEAD);
    close(fd);
}

int mount_container_root(bool overlay_on_disk, struct failure *failure)
{
    /* Nothing of the writable layer outlives the VM: "volatile" drops all syncing. */
    static const char options[] = "volatile,lowerdir=" LOWER ",upperdir=" UPPER ",workdir=" WORK;

    if (mount_one(PROTOCOL_ROOT_DISK, LOWER, "squashfs", MS_RDONLY, NULL, failure) < 0 ||
        mount_one(overlay_on_disk ? PROTOCOL_OVERLAY_DISK : "tmpfs", OVERLAY,
                  overlay_on_disk ? "ext4" : "tmpfs", 0, NULL, failure) < 0)
        return -1;
    read_little_ahead(PROTOCOL_ROOT_DISK);
    if (make_directory(UPPER, failure) < 0 || make_directory(WORK, failure) < 0 ||
        copy_root_attributes(failure) < 0)
        return -1;
    return mount_one("overlay", PROTOCOL_ROOTFS_PATH, "overlay", 0, options, failure);
}
