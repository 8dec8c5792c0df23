/* SPDX-License-Identifier: Apache-2.0 */
/* --report-fd; see report_fd.h. */
#include "vmm/cli/report_fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vmm/base/log.h"
#include "vmm/base/parse.h"

int report_fd_take(const char *text, int *fd, struct error *err)
{
    uint64_t number = 0;
    int rc = 0;

    *fd = -1;
    if (!text)
        return 0;
    rc = parse_u64(text, "--report-fd", STDERR_FILENO + 1, INT_MAX, &number, err);
    if (rc < 0)
        return rc;
    if (fcntl((int)number, F_SETFD, FD_CLOEXEC) < 0)
        return error_set_errno(err, errno, "--report-fd: %s", text);
    *fd = (int)number;
    return 0;
}

void report_fd_write(int fd, enum run_stage stage, int status, const char *reason)
{
    struct run_record record = {.stage = stage, .status = status};
    int rc;

    if (fd < 0)
        return;
    snprintf(record.reason, sizeof(record.reason), "%s", reason ? reason : "");
    rc = run_record_write(fd, &record);
    if (rc < 0)
        log_error("--report-fd: %s", strerror(-rc));
}
