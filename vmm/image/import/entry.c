/* SPDX-License-Identifier: Apache-2.0 */
/* Translate one archive entry; see entry.h. */
#include "vmm/image/import/entry.h"

#include <archive.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "vmm/base/bytes.h"

/* The limits of a squashfs device node. */
#define MAJOR_MAX 0xfff
#define MINOR_MAX 0xfffff

#define XATTR_SIZE_MAX 65536 /* the kernel's limit (xattr(7)) */

static bool is_kept_xattr(const char *name)
{
    /* The prefixes that squashfs supports. */
    static const char *const kept[] = {"user.", "trusted.", "security."};

    if (strncmp(name, "trusted.overlay.", 16) == 0 || strncmp(name, "user.overlay.", 13) == 0)
        return false;
    for (size_t i = 0; i < ARRAY_LENGTH(kept); i++) {
        if (strncmp(name, kept[i], strlen(kept[i])) == 0 && name[strlen(kept[i])] != '\0')
            return strlen(name) <= 255;
    }
    return false;
}

static int compare_xattrs(const void *a, const void *b)
{
    return strcmp(((const struct tree_xattr *)a)->name, ((const struct tree_xattr *)b)->name);
}

/* Some programs write each attribute in two formats: the later one counts. */
static struct tree_xattr *find_xattr(const struct tree_inode *inode, const char *name)
{
    for (size_t i = 0; i < inode->xattr_count; i++) {
        if (strcmp(inode->xattrs[i].name, name) == 0)
            return &inode->xattrs[i];
    }
    return NULL;
}

static int put_xattr(struct tree_inode *inode, const char *name, const void *value, size_t size)
{
    struct tree_xattr *xattr = find_xattr(inode, name);
    void *copy = malloc(size ? size : 1);

    if (!copy)
        return -ENOMEM;
    if (size)
        memcpy(copy, value, size);
    if (!xattr) {
        xattr = &inode->xattrs[inode->xattr_count];
        xattr->name = strdup(name);
        if (!xattr->name) {
            free(copy);
            return -ENOMEM;
        }
        inode->xattr_count++;
    }
    free(xattr->value);
    xattr->value = copy;
    xattr->size = size;
    return 0;
}

static int take_xattrs(struct archive_entry *entry, struct tree_inode *inode, struct error *err)
{
    int count = archive_entry_xattr_reset(entry);
    const char *name;
    const void *value;
    size_t size;

    if (count <= 0)
        return 0;
    if (count > TREE_XATTRS_MAX)
        return error_set(err, E2BIG, "has more than %d extended attributes", TREE_XATTRS_MAX);
    inode->xattrs = calloc((size_t)count, sizeof(*inode->xattrs));
    if (!inode->xattrs)
        return error_set_errno(err, ENOMEM, "import");
    while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
        if (!is_kept_xattr(name))
            continue;
        if (size > XATTR_SIZE_MAX)
            return error_set(err, E2BIG, "has an extended attribute of more than %d bytes",
                             XATTR_SIZE_MAX);
        if (put_xattr(inode, name, value, size) < 0)
            return error_set_errno(err, ENOMEM, "import");
    }
    qsort(inode->xattrs, inode->xattr_count, sizeof(*inode->xattrs), compare_xattrs);
    return 0;
}

static int take_numbers(struct archive_entry *entry, struct tree_inode *inode, struct error *err)
{
    int64_t uid = archive_entry_uid(entry);
    int64_t gid = archive_entry_gid(entry);
    int64_t mtime = archive_entry_mtime(entry);

    if (uid < 0 || uid > UINT32_MAX || gid < 0 || gid > UINT32_MAX)
        return error_set(err, EINVAL, "its owner %lld:%lld is out of range", (long long)uid,
                         (long long)gid);
    inode->uid = (uint32_t)uid;
    inode->gid = (uint32_t)gid;
    inode->mtime = mtime < 0 ? 0 : mtime > UINT32_MAX ? UINT32_MAX : (uint32_t)mtime;
    return 0;
}

static int take_type(struct archive_entry *entry, struct tree_inode *inode, struct error *err)
{
    const char *target;

    switch (inode->mode & S_IFMT) {
    case S_IFREG:
        if (archive_entry_size(entry) < 0)
            return error_set(err, EINVAL, "its size is negative");
        inode->size = (uint64_t)archive_entry_size(entry);
        return 0;
    case S_IFLNK:
        target = archive_entry_symlink(entry);
        if (!target || strlen(target) == 0 || strlen(target) > TREE_PATH_MAX)
            return error_set(err, EINVAL, "is a symbolic link without a usable target");
        inode->target = strdup(target);
        return inode->target ? 0 : error_set_errno(err, ENOMEM, "import");
    case S_IFCHR:
    case S_IFBLK:
        if (archive_entry_rdevmajor(entry) > MAJOR_MAX ||
            archive_entry_rdevminor(entry) > MINOR_MAX)
            return error_set(err, EINVAL, "its device number is out of range");
        inode->major = (uint32_t)archive_entry_rdevmajor(entry);
        inode->minor = (uint32_t)archive_entry_rdevminor(entry);
        return 0;
    case S_IFDIR:
    case S_IFIFO:
    case S_IFSOCK:
        return 0;
    default:
        return error_set(err, ENOTSUP, "is of an unknown type");
    }
}

static int fill(struct archive_entry *entry, struct tree_inode *inode, struct error *err)
{
    int rc = take_numbers(entry, inode, err);

    if (rc < 0)
        return rc;
    rc = take_type(entry, inode, err);
    if (rc < 0)
        return rc;
    return take_xattrs(entry, inode, err);
}

int entry_to_inode(struct archive_entry *entry, struct tree_inode **inode, struct error *err)
{
    struct tree_inode *made = calloc(1, sizeof(*made));
    int rc;

    if (!made)
        return error_set_errno(err, ENOMEM, "import");
    made->mode = archive_entry_mode(entry) & (S_IFMT | 07777);
    rc = fill(entry, made, err);
    if (rc < 0) {
        tree_inode_free(made);
        return rc;
    }
    *inode = made;
    return 0;
}
