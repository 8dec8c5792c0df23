/* SPDX-License-Identifier: Apache-2.0 */
/* Failures of libarchive as failures of ours. */
#include "vmm/image/import/archive_error.h"

#include <errno.h>

int archive_error_take(struct archive *archive, struct error *err)
{
    const char *text = archive_error_string(archive);
    int code = archive_errno(archive);

    if (code <= 0 || code == EINVAL || code == EILSEQ) /* libarchive means the file by them */
        code = EBADMSG;
    return error_set(err, code, "%s", text ? text : "damaged archive");
}
