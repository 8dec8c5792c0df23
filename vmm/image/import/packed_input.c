/* SPDX-License-Identifier: Apache-2.0 */
/* The file under a libarchive reader, gzip unpacked; see packed_input.h. */
#include "vmm/image/import/packed_input.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "vmm/base/io.h"
#include "vmm/image/import/archive_error.h"

#define READ_SIZE (1U << 18)

struct packed_input {
    struct archive *archive;
    int fd;
    uint64_t count; /* bytes read, not yet taken */
    bool is_gzip;
    bool has_ended; /* the last gzip member has ended */
    z_stream stream;
    unsigned char packed[READ_SIZE];
    unsigned char unpacked[READ_SIZE];
};

/* The next bytes of the file; 0 at its end, -1 after a failure. */
static ssize_t read_file(struct packed_input *input, unsigned char *buffer, size_t size)
{
    ssize_t count = io_read_full(input->fd, buffer, size);

    if (count < 0) {
        archive_set_error(input->archive, (int)-count, "cannot read: %s", strerror((int)-count));
        return -1;
    }
    input->count += (uint64_t)count;
    return count;
}

static la_ssize_t read_plain(struct archive *archive, void *context, const void **buffer)
{
    struct packed_input *input = context;

    (void)archive;
    *buffer = input->packed;
    return read_file(input, input->packed, sizeof(input->packed));
}

static la_int64_t skip_plain(struct archive *archive, void *context, la_int64_t size)
{
    const struct packed_input *input = context;

    (void)archive;
    return lseek(input->fd, size, SEEK_CUR) < 0 ? 0 : size;
}

/* Reads at least `wanted` packed bytes, or all that are left. */
static int refill(struct packed_input *input, size_t wanted)
{
    z_stream *stream = &input->stream;
    ssize_t count;

    if (stream->avail_in >= wanted)
        return 0;
    memmove(input->packed, stream->next_in, stream->avail_in);
    count = read_file(input, input->packed + stream->avail_in,
                      sizeof(input->packed) - stream->avail_in);
    if (count < 0)
        return -1;
    stream->next_in = input->packed;
    stream->avail_in += (unsigned)count;
    return 0;
}

/* At the end of a member: does another one follow? */
static int begin_next_member(struct packed_input *input)
{
    z_stream *stream = &input->stream;

    if (refill(input, 2) < 0)
        return -1;
    if (stream->avail_in < 2 || stream->next_in[0] != 0x1f || stream->next_in[1] != 0x8b)
        input->has_ended = true;
    else
        inflateReset(stream);
    return 0;
}

static int inflate_more(struct packed_input *input)
{
    z_stream *stream = &input->stream;
    int rc;

    if (refill(input, 1) < 0)
        return -1;
    if (stream->avail_in == 0) {
        archive_set_error(input->archive, EBADMSG, "truncated gzip input");
        return -1;
    }
    rc = inflate(stream, Z_NO_FLUSH);
    if (rc == Z_OK)
        return 0;
    if (rc == Z_STREAM_END)
        return begin_next_member(input);
    archive_set_error(input->archive, rc == Z_MEM_ERROR ? ENOMEM : EBADMSG,
                      "damaged gzip input: %s", stream->msg ? stream->msg : zError(rc));
    return -1;
}

static la_ssize_t read_gzip(struct archive *archive, void *context, const void **buffer)
{
    struct packed_input *input = context;
    z_stream *stream = &input->stream;

    (void)archive;
    stream->next_out = input->unpacked;
    stream->avail_out = sizeof(input->unpacked);
    while (!input->has_ended && stream->avail_out > 0)
        if (inflate_more(input) < 0)
            return -1;
    *buffer = input->unpacked;
    return (la_ssize_t)(sizeof(input->unpacked) - stream->avail_out);
}

static int close_input(struct archive *archive, void *context)
{
    struct packed_input *input = context;

    (void)archive;
    if (input->is_gzip)
        inflateEnd(&input->stream);
    free(input);
    return ARCHIVE_OK;
}

static bool is_gzip(int fd)
{
    unsigned char magic[2];
    off_t position = lseek(fd, 0, SEEK_CUR);

    return position >= 0 && io_pread_full(fd, magic, sizeof(magic), position) == sizeof(magic) &&
           magic[0] == 0x1f && magic[1] == 0x8b;
}

int packed_input_open(struct archive *archive, int fd, struct packed_input **input,
                      struct error *err)
{
    struct packed_input *opened = malloc(sizeof(*opened));

    if (!opened)
        return error_set_errno(err, ENOMEM, "import");
    opened->archive = archive;
    opened->fd = fd;
    opened->count = 0;
    opened->is_gzip = is_gzip(fd);
    opened->has_ended = false;
    opened->stream = (z_stream){.next_in = opened->packed};
    if (opened->is_gzip && inflateInit2(&opened->stream, MAX_WBITS + 16) != Z_OK) {
        free(opened);
        return error_set_errno(err, ENOMEM, "import");
    }
    archive_read_support_filter_zstd(archive);
    archive_read_support_filter_xz(archive);
    archive_read_support_filter_bzip2(archive);
    archive_read_set_read_callback(archive, opened->is_gzip ? read_gzip : read_plain);
    if (!opened->is_gzip)
        archive_read_set_skip_callback(archive, skip_plain);
    archive_read_set_close_callback(archive, close_input);
    archive_read_set_callback_data(archive, opened);
    if (archive_read_open1(archive) != ARCHIVE_OK)
        return archive_error_take(archive, err);
    *input = opened;
    return 0;
}

uint64_t packed_input_take_count(struct packed_input *input)
{
    uint64_t count = input->count;

    input->count = 0;
    return count;
}

bool packed_input_is_compressed(const struct packed_input *input)
{
    return input->is_gzip || archive_filter_count(input->archive) > 1;
}
