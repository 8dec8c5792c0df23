/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: unpack the payload of a compressed kernel; see unpack.h. */
#include "vmm/image/import/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include "vmm/base/io.h"
#include "vmm/image/import/confine.h"

#define READ_SIZE    (1U << 18)
#define UNPACKED_MAX (UINT64_C(512) << 20)
#define SECONDS_MAX  60

static int copy_out(struct archive *archive, int output)
{
    uint64_t total = 0;

    for (;;) {
        const void *data;
        size_t size = 0;
        la_int64_t offset;
        int rc = archive_read_data_block(archive, &data, &size, &offset);

        if (rc == ARCHIVE_EOF)
            return total > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
        if (rc != ARCHIVE_OK || size > UNPACKED_MAX - total || io_write_all(output, data, size) < 0)
            return EXIT_FAILURE;
        total += size;
    }
}

static bool is_gzip(int payload)
{
    unsigned char magic[2];

    return io_pread_full(payload, magic, sizeof(magic), 0) == sizeof(magic) && magic[0] == 0x1f &&
           magic[1] == 0x8b;
}

/* By zlib itself: libarchive does not compare the checksum of this format (RFC 1952, 2.3.1). */
static int unpack_gzip(int payload, int output)
{
    static unsigned char packed[READ_SIZE];
    static unsigned char unpacked[READ_SIZE];
    z_stream stream = {0};
    uint64_t total = 0;
    int rc = inflateInit2(&stream, MAX_WBITS + 16);

    while (rc == Z_OK) {
        size_t size;

        if (stream.avail_in == 0) {
            ssize_t count = read(payload, packed, sizeof(packed));

            if (count <= 0)
                break; /* it is cut short */
            stream.next_in = packed;
            stream.avail_in = (unsigned)count;
        }
        stream.next_out = unpacked;
        stream.avail_out = sizeof(unpacked);
        rc = inflate(&stream, Z_NO_FLUSH);
        size = sizeof(unpacked) - stream.avail_out;
        if (size > UNPACKED_MAX - total || io_write_all(output, unpacked, size) < 0)
            rc = Z_ERRNO;
        total += size;
    }
    inflateEnd(&stream);
    return rc == Z_STREAM_END ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int unpack_other(int payload, int output)
{
    struct archive_entry *entry;
    struct archive *archive = archive_read_new();
    int status = EXIT_FAILURE;

    if (!archive)
        return EXIT_FAILURE;
    archive_read_support_format_raw(archive);
    archive_read_support_filter_lz4(archive);
    archive_read_support_filter_xz(archive);
    archive_read_support_filter_zstd(archive);
    if (archive_read_open_fd(archive, payload, READ_SIZE) == ARCHIVE_OK &&
        archive_read_next_header(archive, &entry) == ARCHIVE_OK)
        status = copy_out(archive, output);
    archive_read_free(archive);
    return status;
}

int unpack_kernel(int payload, int output)
{
    if (confine_process(SECONDS_MAX, UNPACKED_MAX, NULL) < 0 || confine_to_reading(-1, NULL) < 0 ||
        confine_to_parsing(-1, payload, NULL) < 0)
        return EXIT_FAILURE;
    return is_gzip(payload) ? unpack_gzip(payload, output) : unpack_other(payload, output);
}
