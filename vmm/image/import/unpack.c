/* SPDX-License-Identifier: Apache-2.0 */
/* Unpack the payload of a compressed kernel; see unpack.h. */
#include "vmm/image/import/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdint.h>
#include <stdlib.h>

#include "vmm/base/io.h"
#include "vmm/image/import/archive_error.h"
#include "vmm/image/import/confine.h"
#include "vmm/image/import/packed_input.h"

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

static int unpack(int payload, int output)
{
    struct archive_entry *entry;
    AUTO_ARCHIVE struct archive *archive = archive_read_new();
    struct packed_input *input;

    if (!archive)
        return EXIT_FAILURE;
    archive_read_support_format_raw(archive);
    archive_read_support_filter_lz4(archive);
    if (packed_input_open(archive, payload, &input, NULL) < 0 ||
        archive_read_next_header(archive, &entry) != ARCHIVE_OK)
        return EXIT_FAILURE;
    return copy_out(archive, output);
}

int unpack_kernel(int payload, int output)
{
    if (confine_process(SECONDS_MAX, UNPACKED_MAX, NULL) < 0 || confine_to_reading(-1, NULL) < 0 ||
        confine_to_parsing(-1, payload, NULL) < 0)
        return EXIT_FAILURE;
    return unpack(payload, output);
}
