/* SPDX-License-Identifier: Apache-2.0 */
/* The limits of an import; see budget.h. */
#include "vmm/image/import/budget.h"

#include <errno.h>
#include <stddef.h>

int budget_write(struct budget *budget, uint64_t bytes, struct error *err)
{
    if (!budget)
        return 0;
    if (bytes > budget->limits.space - budget->written)
        return error_set(err, EDQUOT,
                         "takes more than %llu MiB of disk while it is imported; allow more by "
                         "'microvm image load --max-space'",
                         (unsigned long long)(budget->limits.space >> 20));
    budget->written += bytes;
    return 0;
}

int budget_unpack(struct budget *budget, uint64_t packed, uint64_t unpacked, struct error *err)
{
    if (!budget)
        return 0;
    budget->packed += packed;
    budget->unpacked += unpacked;
    if (budget->unpacked <= LOAD_RATIO_FREE ||
        budget->unpacked / budget->limits.ratio <= budget->packed)
        return 0;
    return error_set(err, E2BIG,
                     "unpacks to more than %llu times its size; if that is intended, allow it by "
                     "'microvm image load --max-ratio'",
                     (unsigned long long)budget->limits.ratio);
}

int budget_entry(struct budget *budget, struct error *err)
{
    if (!budget || budget->entries++ < budget->limits.entries)
        return 0;
    return error_set(err, E2BIG,
                     "has more than %llu entries; allow more by 'microvm image load --max-entries'",
                     (unsigned long long)budget->limits.entries);
}

int budget_image(struct budget *budget, struct error *err)
{
    if (!budget || budget->images++ < budget->limits.images)
        return 0;
    return error_set(err, E2BIG,
                     "holds more than %llu images; allow more by 'microvm image load --max-images'",
                     (unsigned long long)budget->limits.images);
}
