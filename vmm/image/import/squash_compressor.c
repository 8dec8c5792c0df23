/* SPDX-License-Identifier: Apache-2.0 */
/* A compressor that wraps another one; see squash_compressor.h. */
#include "vmm/image/import/squash_compressor.h"

#include <sqfs/error.h>
#include <stdint.h>
#include <stdlib.h>

/* In percent of a block's size: a larger result is not worth its decompression. */
#define WORTHWHILE 60

struct wrapper {
    sqfs_compressor_t base; /* must be first: libsquashfs sees only this */
    sqfs_compressor_t *inner;
};

static struct wrapper *wrapper_create(sqfs_compressor_t *inner);

static sqfs_s32 do_block(sqfs_compressor_t *base, const sqfs_u8 *in, sqfs_u32 size, sqfs_u8 *out,
                         sqfs_u32 capacity)
{
    sqfs_compressor_t *inner = ((struct wrapper *)base)->inner;
    sqfs_s32 result = inner->do_block(inner, in, size, out, capacity);

    return result > 0 && (uint64_t)result * 100 > (uint64_t)size * WORTHWHILE ? 0 : result;
}

static void get_configuration(const sqfs_compressor_t *base, sqfs_compressor_config_t *config)
{
    const sqfs_compressor_t *inner = ((const struct wrapper *)base)->inner;

    inner->get_configuration(inner, config);
}

static int write_options(sqfs_compressor_t *base, sqfs_file_t *file)
{
    sqfs_compressor_t *inner = ((struct wrapper *)base)->inner;

    return inner->write_options(inner, file);
}

static int read_options(sqfs_compressor_t *base, sqfs_file_t *file)
{
    sqfs_compressor_t *inner = ((struct wrapper *)base)->inner;

    return inner->read_options(inner, file);
}

static void destroy(sqfs_object_t *object)
{
    sqfs_destroy(((struct wrapper *)object)->inner);
    free(object);
}

static sqfs_object_t *copy(const sqfs_object_t *object)
{
    sqfs_compressor_t *inner = sqfs_copy(((const struct wrapper *)object)->inner);

    return inner ? (sqfs_object_t *)wrapper_create(inner) : NULL;
}

/* Takes ownership of `inner`. */
static struct wrapper *wrapper_create(sqfs_compressor_t *inner)
{
    struct wrapper *wrapper = calloc(1, sizeof(*wrapper));

    if (!wrapper) {
        sqfs_destroy(inner);
        return NULL;
    }
    wrapper->base = (sqfs_compressor_t){
        {destroy, copy}, get_configuration, write_options, read_options, do_block,
    };
    wrapper->inner = inner;
    return wrapper;
}

int squash_compressor_create(const sqfs_compressor_config_t *config, sqfs_compressor_t **compressor)
{
    sqfs_compressor_t *inner = NULL;
    struct wrapper *wrapper;
    int rc = sqfs_compressor_create(config, &inner);

    if (rc < 0)
        return rc;
    wrapper = wrapper_create(inner);
    if (!wrapper)
        return SQFS_ERROR_ALLOC;
    *compressor = &wrapper->base;
    return 0;
}
