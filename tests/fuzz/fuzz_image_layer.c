/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layers, applied one upon the other and written as a squashfs. Whatever they hold, the
 * tree stays a tree, and its bounds hold. The first byte chooses: the rest is two archives as they
 * are (which shows how we take what libarchive makes of rubbish), or a script of entries to pack in
 * up to four sound archives (which shows the merge).
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/image/tar_maker.h"
#include "vmm/image/import/layer.h"
#include "vmm/image/import/squash.h"

#define WRITTEN_MAX (1U << 20) /* bytes of files up to which the squashfs is written, for speed */

struct walk {
    size_t count;
    uint64_t bytes;
    unsigned depth;
};

static void require(bool fine)
{
    if (!fine)
        abort();
}

static int visit(struct tree_node *node, void *context)
{
    struct walk *walk = context;
    uint64_t end = 0;

    walk->count++;
    walk->bytes += node->inode->size;
    require(node->inode->links > 0);
    require(node->name[0] && !strchr(node->name, '/') && strlen(node->name) <= TREE_NAME_MAX);
    require(strcmp(node->name, ".") != 0 && strcmp(node->name, "..") != 0);
    for (size_t i = 0; i < node->inode->segment_count; i++) {
        const struct tree_segment *segment = &node->inode->segments[i];

        require(segment->offset >= end);
        end = segment->offset + segment->length;
        require(end <= node->inode->size);
    }
    if (!S_ISDIR(node->inode->mode))
        return 0;
    require(node->inode->links == 1 && walk->depth < TREE_PATH_MAX);
    walk->depth++;
    tree_each_child(node->inode, visit, walk);
    walk->depth--;
    return 0;
}

static bool apply_file(struct tree *tree, struct spool *spool, int fd)
{
    char diff_id[DIGEST_SIZE];
    int rc = layer_apply(fd, tree, spool, diff_id, NULL);

    close(fd);
    return rc == 0;
}

/* Paths of a small world, so that entries meet. */
static const char *path_of(uint8_t byte)
{
    static const char *const paths[] = {
        "a",
        "b",
        "a/b",
        "a/c",
        "b/a",
        "a/b/c",
        "d/e/f",
        "d",
        "d/e",
        ".wh.a",
        ".wh.b",
        "a/.wh.b",
        "d/.wh..wh..opq",
        ".wh..wh..opq",
        "a/.wh..wh..opq",
        "d/.wh.e",
        ".",
        "./a//b",
        "etc/passwd",
        "etc",
        "../a",
        "/a",
        "a/../b",
        ".wh.",
        "a/b/.wh.c",
        "d/e/f/g/h",
    };

    return paths[byte % (sizeof(paths) / sizeof(paths[0]))];
}

static void put_entry(struct tar_maker *maker, const uint8_t *script)
{
    static const mode_t types[] = {AE_IFREG, AE_IFDIR, AE_IFCHR, AE_IFBLK, AE_IFIFO};
    const char *path = path_of(script[1]);
    struct archive_entry *entry;

    switch (script[0] % 8) {
    case 0:
        tar_symlink(maker, path, path_of(script[2]));
        return;
    case 1:
        tar_hardlink(maker, path, path_of(script[2]));
        return;
    default:
        entry = tar_entry(path, types[script[0] % 5], script[2]);
        archive_entry_set_uid(entry, script[2]);
        if (script[2] & 1)
            archive_entry_xattr_add_entry(entry, "user.x", script, 1 + script[2] % 3);
        tar_put(maker, entry, path, archive_entry_filetype(entry) == AE_IFREG ? strlen(path) : 0);
    }
}

/* Three bytes an entry; a first byte of 0xff begins the next layer. */
static bool apply_script(struct tree *tree, struct spool *spool, const uint8_t *data, size_t size)
{
    bool fine = true;

    for (int layer = 0; layer < 4 && size >= 3; layer++) {
        struct tar_maker maker;

        tar_begin(&maker, TAR_PLAIN);
        for (; size >= 3 && data[0] != 0xff; data += 3, size -= 3)
            put_entry(&maker, data);
        if (size >= 3) {
            data += 3;
            size -= 3;
        }
        fine &= apply_file(tree, spool, tar_end(&maker));
    }
    return fine;
}

static bool apply(struct tree *tree, struct spool *spool, const uint8_t *data, size_t size)
{
    int fd = memfd_create("layer", MFD_CLOEXEC);

    require(fd >= 0 && write(fd, data, size) == (ssize_t)size && lseek(fd, 0, SEEK_SET) == 0);
    return apply_file(tree, spool, fd);
}

static bool apply_halves(struct tree *tree, struct spool *spool, const uint8_t *data, size_t size)
{
    size_t first = size / 1024 * 512; /* whole blocks, so that a tar archive may begin there */

    return apply(tree, spool, data, first) & apply(tree, spool, data + first, size - first);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct walk walk = {.count = 1};
    struct spool spool = {.fd = memfd_create("spool", MFD_CLOEXEC)};
    int output = memfd_create("squashfs", MFD_CLOEXEC);
    struct tree *tree = tree_create();
    bool fine = false;

    require(spool.fd >= 0 && output >= 0 && tree);
    if (size > 0)
        fine = data[0] == 'T' ? apply_halves(tree, &spool, data + 1, size - 1)
                              : apply_script(tree, &spool, data + 1, size - 1);
    tree_each_child(tree_root(tree), visit, &walk);
    require(walk.count == tree_count(tree));
    tree_find(tree, "etc/passwd");
    if (fine && walk.bytes <= WRITTEN_MAX)
        squash_write(tree, &spool, output, NULL);
    tree_destroy(tree);
    spool_close(&spool);
    close(output);
    return 0;
}
