/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pack a directory as a tar archive, so that a plain root file system becomes a layer like any
 * other. Symbolic links are packed, not followed; sockets are skipped; only mtimes are kept, so
 * that the same tree gives the same archive.
 */
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/text.h"
#include "vmm/image/import/archive_error.h"
#include "vmm/image/import/layer.h"
#include "vmm/image/import/source_private.h"

#define COPY_SIZE 65536

struct packer {
    struct archive *writer;
    struct archive *disk; /* reads attributes and holes */
    struct archive_entry_linkresolver *links;
    struct sink *sink;
    char *buffer;
    struct error *err;
};

static void entry_free(struct archive_entry **entry)
{
    archive_entry_free(*entry);
}

#define AUTO_ENTRY __attribute__((cleanup(entry_free)))

static void packer_release(struct packer *packer)
{
    free(packer->buffer);
    archive_entry_linkresolver_free(packer->links);
    archive_read_free(packer->disk);
    archive_write_free(packer->writer);
}

#define AUTO_PACKER __attribute__((cleanup(packer_release)))

static la_ssize_t write_out(struct archive *archive, void *context, const void *data, size_t size)
{
    struct packer *packer = context;

    if (sink_write(packer->sink, data, size, packer->err) < 0) {
        archive_set_error(archive, packer->err->code, "%s", packer->err->text);
        return -1;
    }
    return (la_ssize_t)size;
}

static int compare_names(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static int pack_content(struct packer *packer, int fd, struct error *err)
{
    ssize_t count;

    while ((count = read(fd, packer->buffer, COPY_SIZE)) > 0) {
        if (archive_write_data(packer->writer, packer->buffer, (size_t)count) < 0)
            return archive_error_take(packer->writer, err);
    }
    return count < 0 ? error_set_errno(err, errno, "cannot read") : 0;
}

/* Fills the entry; `fd` is open for a regular file. */
static int describe(struct packer *packer, const FTSENT *item, const char *path, int fd,
                    struct archive_entry *entry, struct error *err)
{
    archive_entry_copy_pathname(entry, path);
    archive_entry_copy_sourcepath(entry, item->fts_accpath);
    if (archive_read_disk_entry_from_file(packer->disk, entry, fd, item->fts_statp) < ARCHIVE_WARN)
        return archive_error_take(packer->disk, err);
    archive_entry_unset_atime(entry);
    archive_entry_unset_ctime(entry);
    archive_entry_unset_birthtime(entry);
    archive_entry_sparse_clear(entry);
    archive_entry_set_mtime(entry, item->fts_statp->st_mtime, 0);
    return 0;
}

static int pack_entry(struct packer *packer, const FTSENT *item, const char *path,
                      struct error *err)
{
    AUTO_ENTRY struct archive_entry *entry = archive_entry_new();
    struct archive_entry *deferred = NULL;
    AUTO_CLOSE int fd = -1;
    int rc;

    if (!entry)
        return error_set_errno(err, ENOMEM, "import");
    if (S_ISREG(item->fts_statp->st_mode)) {
        fd = open(item->fts_accpath, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
            return error_set_errno(err, errno, "cannot read");
    }
    rc = describe(packer, item, path, fd, entry, err);
    if (rc < 0)
        return rc;
    archive_entry_linkify(packer->links, &entry, &deferred);
    if (archive_write_header(packer->writer, entry) < ARCHIVE_WARN)
        return archive_error_take(packer->writer, err);
    if (fd >= 0 && archive_entry_size(entry) > 0)
        return pack_content(packer, fd, err);
    return 0;
}

static int pack_tree(struct packer *packer, FTS *walk, struct error *err)
{
    const FTSENT *item;
    char safe[TEXT_NAME_SIZE];

    while ((errno = 0, item = fts_read(walk))) {
        const char *path = item->fts_level == 0 ? "." : item->fts_path;
        int rc = 0;

        if (item->fts_info == FTS_DP || S_ISSOCK(item->fts_statp->st_mode))
            continue;
        if (item->fts_info == FTS_DNR || item->fts_info == FTS_ERR || item->fts_info == FTS_NS)
            rc = error_set_errno(err, item->fts_errno, "cannot read");
        else
            rc = pack_entry(packer, item, path, err);
        if (rc < 0)
            return error_wrap(err, rc, "'%s'", text_copy(safe, sizeof(safe), path));
    }
    return errno ? error_set_errno(err, errno, "cannot read") : 0;
}

static int pack(struct packer *packer, struct error *err)
{
    char start[] = ".";
    char *const paths[] = {start, NULL};
    FTS *walk;
    int rc;

    archive_read_disk_set_symlink_physical(packer->disk);
    archive_read_disk_set_behavior(packer->disk,
                                   ARCHIVE_READDISK_NO_ACL | ARCHIVE_READDISK_NO_FFLAGS);
    archive_entry_linkresolver_set_strategy(packer->links, ARCHIVE_FORMAT_TAR);
    archive_write_set_format_pax_restricted(packer->writer);
    archive_write_set_bytes_in_last_block(packer->writer, 1);
    if (archive_write_open(packer->writer, packer, NULL, write_out, NULL) != ARCHIVE_OK)
        return archive_error_take(packer->writer, err);
    walk = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, compare_names);
    if (!walk)
        return error_set_errno(err, errno, "cannot read");
    rc = pack_tree(packer, walk, err);
    fts_close(walk);
    if (rc < 0)
        return rc;
    if (archive_write_close(packer->writer) != ARCHIVE_OK)
        return archive_error_take(packer->writer, err);
    return 0;
}

int source_pack_directory(int directory, struct sink *sink, struct error *err)
{
    struct error inner = ERROR_INIT;
    AUTO_PACKER struct packer packer = {
        .writer = archive_write_new(),
        .disk = archive_read_disk_new(),
        .links = archive_entry_linkresolver_new(),
        .sink = sink,
        .buffer = malloc(COPY_SIZE),
        .err = &inner,
    };
    AUTO_CLOSE int before = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int rc;

    if (!packer.writer || !packer.disk || !packer.links || !packer.buffer)
        return error_set_errno(err, ENOMEM, "import");
    if (before < 0 || fchdir(directory) < 0) /* paths of any length, relative to the root */
        return error_set_errno(err, errno, "cannot enter");
    rc = pack(&packer, err);
    if (fchdir(before) < 0 && rc == 0)
        return error_set_errno(err, errno, "cannot return to the working directory");
    return rc;
}
