/* SPDX-License-Identifier: Apache-2.0 */
/* A container's root file system on the host; see container_root.h. */
#include "vmm/sandbox/container_root.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <linux/fs.h>
#include <linux/loop.h>

#include "guest/protocol.h"
#include "vmm/base/bytes.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/io.h"
#include "vmm/base/spawn.h"

#define LOOP_TRIES      64
#define LOOP_PATH       32
#define DISK_READ_AHEAD 256UL /* in sectors of 512 bytes: what Linux has for disks */
#define IMAGE_FD        3     /* in squashfuse */
#define WALK_FILES      32
#define RUN_OPTIONS     "mode=700,size=16m" /* many times what a runtime needs */

/*
 * Binds `file` to a free loop device, which the kernel frees with its last user. Returns a
 * descriptor of the device, to be closed once it is mounted, and its path.
 */
static int loop_attach(int file, bool read_only, char path[LOOP_PATH], struct error *err)
{
    const struct loop_config config = {
        .fd = (unsigned)file,
        .info = {.lo_flags = LO_FLAGS_AUTOCLEAR | (read_only ? LO_FLAGS_READ_ONLY : 0U)},
    };
    AUTO_CLOSE int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);

    for (unsigned i = 0; control >= 0 && i < LOOP_TRIES; i++) {
        AUTO_CLOSE int device = -1;
        int number = ioctl(control, LOOP_CTL_GET_FREE);

        if (number < 0)
            break;
        snprintf(path, LOOP_PATH, "/dev/loop%d", number);
        device = open(path, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
        if (device < 0)
            break;
        if (ioctl(device, LOOP_CONFIGURE, &config) == 0)
            return steal_fd(&device);
        if (errno != EBUSY) /* another process took it */
            break;
    }
    return error_set(err, ENODEV,
                     "no loop device for the image's root (%s); load the kernel module loop",
                     strerror(errno));
}

/*
 * Loop devices may read some megabytes ahead, and in a container that is near its memory limit what
 * is read pushes out the pages its program is executing. They are read again, with megabytes ahead:
 * it takes minutes until the kernel finds memory exhausted and ends it. So little is read ahead,
 * and of a squashfs nothing: it reads whole blocks anyway (guest/init/mount.c).
 *
 * After the mount, with which Linux sets its own again (seen in 6.18). A failure costs only time.
 */
static int mount_file(int file, const char *target, const char *type, bool read_only,
                      struct error *err)
{
    char device[LOOP_PATH];
    AUTO_CLOSE int fd = loop_attach(file, read_only, device, err);

    if (fd < 0)
        return fd;
    if (mount(device, target, type, read_only ? MS_RDONLY : 0, NULL) < 0)
        return error_set_errno(err, errno, "cannot mount the %s of %s", type,
                               read_only ? "image" : "--disk");
    (void)ioctl(fd, BLKRASET, read_only ? PROTOCOL_READ_AHEAD : DISK_READ_AHEAD);
    return 0;
}

/* The first line of what it has said. It warns of what is no concern of the user's, too: only a
 * failure is shown. */
static int fuse_error(const char *program, int words, struct error *err)
{
    char text[256];
    ssize_t size = io_pread_full(words, text, sizeof(text) - 1, 0);

    text[size > 0 ? size : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    return error_set(err, EIO, "%s failed: %s", program, text);
}

/* Runs a FUSE program, which goes on in the background once it serves its mount. */
static int run_fuse(const char *program, const char *package, const char *const *arguments,
                    int image, struct error *err)
{
    AUTO_CLOSE int words = memfd_create("messages", MFD_CLOEXEC);
    const struct spawn_descriptor descriptors[] = {
        {0, SPAWN_NULL}, {1, SPAWN_NULL}, {2, words}, {IMAGE_FD, image}};
    const struct spawn spawn = {
        .program = program,
        .arguments = arguments,
        .environment = (const char *const[]){"PATH=/usr/local/bin:/usr/bin:/bin", NULL},
        .descriptors = descriptors,
        .descriptor_count = ARRAY_LENGTH(descriptors),
    };
    int rc;

    if (words < 0)
        return error_set_errno(err, errno, "%s", program);
    rc = spawn_run(&spawn, err);
    if (rc == -ENOENT)
        return error_set(err, ENOENT,
                         "--isolation=container without root needs %s; install the package %s",
                         program, package);
    return rc == -EIO ? fuse_error(program, words, err) : rc;
}

static int mount_lower(const struct container_root *root, const char *lower, struct error *err)
{
    const char *const arguments[] = {"squashfuse",      "-o",  "allow_other",
                                     "/proc/self/fd/3", lower, NULL};

    if (!root->rootless)
        return mount_file(root->image, lower, "squashfs", true, err);
    return run_fuse("squashfuse", "squashfuse", arguments, root->image, err);
}

/*
 * nftw(3): stops at the first device file outside /dev, which the container's own /dev covers, and
 * at what cannot be looked at: a path may be too long for that, and be reached in steps.
 */
static int find_device(const char *path, const struct stat *status, int type, struct FTW *place)
{
    if (place->level == 1 && strcmp(path + place->base, "dev") == 0 && type == FTW_D)
        return FTW_SKIP_SUBTREE;
    if (type == FTW_NS || type == FTW_DNR || S_ISBLK(status->st_mode) || S_ISCHR(status->st_mode))
        return FTW_STOP;
    return FTW_CONTINUE;
}

/* A mount option would not do: a runtime mounts the root anew, with options of its own. */
static int refuse_devices(const char *lower, struct error *err)
{
    int found = nftw(lower, find_device, WALK_FILES, FTW_PHYS | FTW_ACTIONRETVAL);

    if (found < 0)
        return error_set_errno(err, errno, "cannot look for device files in the image");
    if (found == FTW_STOP)
        return error_set(err, EPERM,
                         "the image has device files, and no cgroup that is writable here forbids "
                         "a container the host's devices; use --isolation=vm, or make "
                         "/sys/fs/cgroup writable");
    return 0;
}

static int mount_writable(const struct container_root *root, const char *overlay, struct error *err)
{
    char options[64] = "mode=700";

    if (root->disk >= 0) {
        if (root->rootless)
            return error_set(err, ENOTSUP, "--disk with --isolation=container needs root");
        return mount_file(root->disk, overlay, "ext4", false, err);
    }
    if (root->layer_bytes > 0)
        snprintf(options, sizeof(options), "mode=700,size=%llu",
                 (unsigned long long)root->layer_bytes);
    if (mount("tmpfs", overlay, "tmpfs", MS_NODEV, options) < 0)
        return error_set_errno(err, errno, "cannot mount a tmpfs for the writable layer");
    return 0;
}

/* The overlay's root directory shows the attributes of the upper layer's: give it the image's. */
static int make_layers(const char *lower, const char *upper, const char *work, struct error *err)
{
    struct stat status;

    if (mkdir(upper, 0755) < 0 || mkdir(work, 0755) < 0 || stat(lower, &status) < 0 ||
        chown(upper, status.st_uid, status.st_gid) < 0 || chmod(upper, status.st_mode & 07777) < 0)
        return error_set_errno(err, errno, "writable layer");
    return 0;
}

/* Whether overlayfs can keep its notes in attributes that need no privilege: since Linux 5.11 it
 * knows how, and since 6.6 tmpfs lets it. */
static bool takes_user_attributes(const char *directory)
{
    return setxattr(directory, "user.overlay.test", "", 0, 0) == 0 &&
           removexattr(directory, "user.overlay.test") == 0;
}

static int mount_overlay(const struct container_root *root, const char *upper, const char *layers,
                         const char *target, struct error *err)
{
    const char *const arguments[] = {"fuse-overlayfs", "-o", layers, target, NULL};
    AUTO_FREE char *options = NULL;

    if (asprintf(&options, "%s,%s", root->rootless ? "userxattr" : "volatile", layers) < 0) {
        options = NULL;
        return error_set_errno(err, ENOMEM, "root of the container");
    }
    if ((!root->rootless || takes_user_attributes(upper)) &&
        mount("overlay", target, "overlay", 0, options) == 0)
        return 0;
    if (root->rootless)
        return run_fuse("fuse-overlayfs", "fuse-overlayfs", arguments, -1, err);
    return error_set_errno(err, errno, "cannot mount the overlay of the container's root");
}

/*
 * The directory of the bundle: on the writable layer, since the container sees some of its files
 * and may write to them, and in the runtime directory it would fill that up for everybody.
 */
static int mount_bundle(const char *directory, const char *overlay, struct error *err)
{
    AUTO_FREE char *from = NULL;
    AUTO_FREE char *rootfs = NULL;
    AUTO_FREE char *to = NULL;

    if (asprintf(&from, "%s" PROTOCOL_BUNDLE_DIR, overlay) < 0 ||
        asprintf(&rootfs, "%s" PROTOCOL_ROOTFS_PATH, overlay) < 0 ||
        asprintf(&to, "%s" PROTOCOL_BUNDLE_DIR, directory) < 0)
        return error_set_errno(err, ENOMEM, "bundle");
    if (mkdir(from, 0700) < 0 || mkdir(rootfs, 0700) < 0 ||
        mount(from, to, NULL, MS_BIND, NULL) < 0)
        return error_set_errno(err, errno, "%s", to);
    return 0;
}

/* What init and the runtime write down, for the life of the container only: the runtime directory
 * may be full. */
static int mount_run_directory(const char *directory, struct error *err)
{
    AUTO_FREE char *target = NULL;

    if (asprintf(&target, "%s" PROTOCOL_RUN_DIR, directory) < 0)
        return error_set_errno(err, ENOMEM, "runtime state");
    if (mount("tmpfs", target, "tmpfs", MS_NODEV | MS_NOSUID | MS_NOEXEC, RUN_OPTIONS) < 0)
        return error_set_errno(err, errno, "%s", target);
    return 0;
}

int container_root_mount(const struct container_root *root, struct error *err)
{
    AUTO_FREE char *lower = NULL;
    AUTO_FREE char *overlay = NULL;
    AUTO_FREE char *upper = NULL;
    AUTO_FREE char *work = NULL;
    AUTO_FREE char *target = NULL;
    AUTO_FREE char *layers = NULL;
    int rc;

    if (asprintf(&lower, "%s" CONTAINER_ROOT_LOWER, root->directory) < 0 ||
        asprintf(&overlay, "%s" CONTAINER_ROOT_OVERLAY, root->directory) < 0 ||
        asprintf(&upper, "%s/upper", overlay) < 0 || asprintf(&work, "%s/work", overlay) < 0 ||
        asprintf(&target, "%s" PROTOCOL_ROOTFS_PATH, root->directory) < 0 ||
        asprintf(&layers, "lowerdir=%s,upperdir=%s,workdir=%s", lower, upper, work) < 0)
        return error_set_errno(err, ENOMEM, "root of the container");
    if (strpbrk(root->directory, ",:\\"))
        return error_set(err, EINVAL,
                         "runtime directory of %s: overlayfs takes no ',', ':' or '\\' in a path; "
                         "choose another by MICROVM_RUNTIME",
                         root->directory);
    rc = mount_lower(root, lower, err);
    if (rc < 0)
        return rc;
    if (root->no_devices) {
        rc = refuse_devices(lower, err);
        if (rc < 0)
            return rc;
    }
    rc = mount_writable(root, overlay, err);
    if (rc < 0)
        return rc;
    rc = mount_run_directory(root->directory, err);
    if (rc < 0)
        return rc;
    rc = mount_bundle(root->directory, overlay, err);
    if (rc < 0)
        return rc;
    rc = make_layers(lower, upper, work, err);
    return rc < 0 ? rc : mount_overlay(root, upper, layers, target, err);
}
