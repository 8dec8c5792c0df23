/* SPDX-License-Identifier: Apache-2.0 */
/* Turn failures of libarchive into our own. */
#include "vmm/image/import/archive_error.h"

#include <errno.h>

int archive_error_take(struct archive *archive, struct error *err)
{
    const char *text = archive_error_string(archive);
    int code = archive_errno(archive);

    if (code <= 0 || code == EINVAL || code == EILSEQ) /* with these libarchive means the file */
        code = EBADMSG;
    return error_set(err, code, "%s", text ? text : "damaged archive");
}
