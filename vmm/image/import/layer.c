/* SPDX-License-Identifier: Apache-2.0 */
/* Read one layer into the tree; see layer.h. Two libarchive readers in a row: decompress,
 * then parse. */
#include "vmm/image/import/layer.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/base/bytes.h"
#include "vmm/base/text.h"
#include "vmm/image/import/archive_error.h"
#include "vmm/image/import/entry.h"
#include "vmm/image/import/packed_input.h"

#define LAYER_BYTES_MAX (1ULL << 38) /* of one uncompressed archive, same as TREE_BYTES_MAX */
#define HOLE_SIZE       65536        /* bytes; smaller runs of zeros are kept */

struct reader {
    struct archive *raw; /* decompresses */
    struct archive *tar; /* parses what `raw` yields */
    struct sha256_ctx hash;
    uint64_t bytes;
    struct packed_input *input; /* the input of `raw` */
    struct error failure;
    bool is_empty; /* no bytes: a layer that changes nothing */
    struct tree *tree;
    struct spool *spool;
};

static void reader_release(struct reader *reader)
{
    archive_read_free(reader->tar);
    archive_read_free(reader->raw);
}

#define AUTO_READER __attribute__((cleanup(reader_release)))

/* The next decompressed bytes, hashed; 0 at the end, -1 after a failure. */
static la_ssize_t read_raw(struct archive *tar, void *context, const void **buffer)
{
    struct reader *reader = context;
    size_t size = 0;
    la_int64_t offset;
    int rc = reader->is_empty ? ARCHIVE_EOF
                              : archive_read_data_block(reader->raw, buffer, &size, &offset);

    if (rc == ARCHIVE_EOF)
        return 0;
    if (rc != ARCHIVE_OK) {
        archive_set_error(tar, EBADMSG, "%s", archive_error_string(reader->raw));
        return -1;
    }
    if (size > LAYER_BYTES_MAX - reader->bytes) {
        archive_set_error(tar, E2BIG, "larger than %llu GiB when uncompressed",
                          LAYER_BYTES_MAX >> 30);
        return -1;
    }
    if (budget_unpack(reader->spool->budget, packed_input_take_count(reader->input), size,
                      &reader->failure) < 0) {
        archive_set_error(tar, reader->failure.code, "%s", reader->failure.text);
        return -1;
    }
    reader->bytes += size;
    sha256_update(&reader->hash, size, *buffer);
    return (la_ssize_t)size;
}

static int add_segment(struct tree_inode *inode, uint64_t offset, uint64_t length, uint64_t spool,
                       struct error *err)
{
    struct tree_segment *last =
        inode->segment_count ? &inode->segments[inode->segment_count - 1] : NULL;
    struct tree_segment *segments;

    if (last && offset < last->offset + last->length)
        return error_set(err, EBADMSG, "its pieces overlap");
    if (last && last->offset + last->length == offset && last->spool + last->length == spool) {
        last->length += length;
        return 0;
    }
    if (inode->segment_count >= TREE_SEGMENTS_MAX)
        return error_set(err, E2BIG, "it has more than %d pieces", TREE_SEGMENTS_MAX);
    segments = reallocarray(inode->segments, inode->segment_count + 1, sizeof(*segments));
    if (!segments)
        return error_set_errno(err, ENOMEM, "import");
    inode->segments = segments;
    inode->segments[inode->segment_count++] = (struct tree_segment){offset, length, spool};
    return 0;
}

/* Spools a piece of a file; zeros become holes, so that a bomb of zeros does not fill the disk. */
static int take_piece(struct reader *reader, struct tree_inode *inode, const char *data,
                      size_t size, uint64_t offset, struct error *err)
{
    size_t part;

    for (; size > 0; data += part, size -= part, offset += part) {
        uint64_t at = reader->spool->size;
        int rc;

        part = size < HOLE_SIZE ? size : HOLE_SIZE;
        if (part == HOLE_SIZE && bytes_are_zero(data, part))
            continue;
        rc = spool_append(reader->spool, data, part, err);
        if (rc < 0)
            return rc;
        rc = add_segment(inode, offset, part, at, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int read_content(struct reader *reader, struct tree_inode *inode, struct error *err)
{
    for (;;) {
        const void *data;
        size_t size = 0;
        la_int64_t offset = 0;
        int rc = archive_read_data_block(reader->tar, &data, &size, &offset);

        if (rc == ARCHIVE_EOF)
            return 0;
        if (rc != ARCHIVE_OK)
            return archive_error_take(reader->tar, err);
        if (size == 0)
            continue;
        if (offset < 0 || (uint64_t)offset > inode->size || size > inode->size - (uint64_t)offset)
            return error_set(err, EBADMSG, "it has more content than its size");
        rc = take_piece(reader, inode, data, size, (uint64_t)offset, err);
        if (rc < 0)
            return rc;
    }
}

static int take_entry(struct reader *reader, struct archive_entry *entry, const char *path,
                      struct error *err)
{
    const char *target = archive_entry_hardlink(entry);
    struct tree_inode *inode;
    int rc;

    if (tree_is_whiteout(path)) /* by its name alone, whatever its type */
        return tree_hide(reader->tree, path, err);
    if (target)
        return tree_link(reader->tree, path, target, err);
    rc = entry_to_inode(entry, &inode, err);
    if (rc < 0)
        return rc;
    if (S_ISREG(inode->mode))
        rc = read_content(reader, inode, err);
    if (rc < 0) {
        tree_inode_free(inode);
        return rc;
    }
    return tree_add(reader->tree, path, inode, err);
}

static int read_entries(struct reader *reader, struct error *err)
{
    struct archive_entry *entry;
    int rc;

    /* A warning is for instance a name that is not UTF-8: its bytes are kept. */
    while ((rc = archive_read_next_header(reader->tar, &entry)) == ARCHIVE_OK ||
           rc == ARCHIVE_WARN) {
        const char *path = archive_entry_pathname(entry);
        char safe[TEXT_NAME_SIZE];

        if (!path)
            return error_set(err, EBADMSG, "an entry has no readable name");
        rc = budget_entry(reader->spool->budget, err);
        if (rc < 0)
            return rc;
        rc = take_entry(reader, entry, path, err);
        if (rc < 0)
            return error_wrap(err, rc, "'%s'", text_copy(safe, sizeof(safe), path));
    }
    return rc == ARCHIVE_EOF ? 0 : archive_error_take(reader->tar, err);
}

/* The bytes after the last entry are part of the digest. */
static int read_rest(struct reader *reader, struct error *err)
{
    const void *ignored;
    la_ssize_t size;

    do {
        size = read_raw(reader->tar, reader, &ignored);
    } while (size > 0);
    return size < 0 ? archive_error_take(reader->tar, err) : 0;
}

static int open_raw(struct reader *reader, int fd, struct error *err)
{
    struct archive_entry *ignored;
    int rc;

    archive_read_support_format_raw(reader->raw);
    archive_read_support_format_empty(reader->raw);
    rc = packed_input_open(reader->raw, fd, &reader->input, err);
    if (rc < 0)
        return rc;
    rc = archive_read_next_header(reader->raw, &ignored);
    reader->is_empty = rc == ARCHIVE_EOF;
    return rc == ARCHIVE_OK || rc == ARCHIVE_EOF ? 0 : archive_error_take(reader->raw, err);
}

static int open_readers(struct reader *reader, int fd, struct error *err)
{
    int rc = open_raw(reader, fd, err);

    if (rc < 0)
        return rc;
    archive_read_support_format_tar(reader->tar);
    archive_read_support_format_empty(reader->tar);
    if (archive_read_open(reader->tar, reader, NULL, read_raw, NULL) != ARCHIVE_OK)
        return archive_error_take(reader->tar, err);
    return 0;
}

int layer_apply(int fd, struct tree *tree, struct spool *spool, char diff_id[DIGEST_SIZE],
                struct error *err)
{
    AUTO_READER struct reader reader = {
        .raw = archive_read_new(), .tar = archive_read_new(), .tree = tree, .spool = spool};
    int rc;

    if (!reader.raw || !reader.tar)
        return error_set_errno(err, ENOMEM, "import");
    sha256_init(&reader.hash);
    tree_begin_layer(tree);
    rc = open_readers(&reader, fd, err);
    if (rc < 0)
        return rc;
    rc = read_entries(&reader, err);
    if (rc < 0)
        return rc;
    rc = tree_end_layer(tree, err);
    if (rc < 0)
        return rc;
    rc = read_rest(&reader, err);
    if (rc < 0)
        return rc;
    digest_finish(&reader.hash, diff_id);
    return 0;
}

int layer_digest(int fd, struct spool *spool, const char *like, char digest[DIGEST_ANY_SIZE],
                 struct error *err)
{
    AUTO_READER struct reader reader = {
        .raw = archive_read_new(), .tar = archive_read_new(), .spool = spool};
    struct digest_hash hash;
    const void *data;
    la_ssize_t size;
    int rc;

    if (!reader.raw || !reader.tar)
        return error_set_errno(err, ENOMEM, "import");
    if (lseek(fd, 0, SEEK_SET) < 0)
        return error_set_errno(err, errno, "cannot seek");
    sha256_init(&reader.hash);
    rc = open_raw(&reader, fd, err);
    if (rc < 0)
        return rc;
    digest_hash_begin(&hash, like);
    while ((size = read_raw(reader.tar, &reader, &data)) > 0)
        digest_hash_update(&hash, data, (size_t)size);
    if (size < 0)
        return archive_error_take(reader.tar, err);
    digest_hash_end(&hash, digest);
    return 0;
}
