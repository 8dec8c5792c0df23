/* SPDX-License-Identifier: Apache-2.0 */
/* `microvm image verify`: reads all of an image, and compares every digest. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/log.h"
#include "vmm/cli/cmd_image.h"
#include "vmm/image/store_root.h"

static const struct option_table verify_table = {
    .usage = "image verify [IMAGE...]",
    .about =
        "Reads images (default: all) and verifies the digests of manifest, config, layers and\n"
        "root file system. A run verifies manifest and config only.",
};

static int verify_layer(const struct store *store, const char *digest, struct error *err)
{
    AUTO_CLOSE int fd = -1;
    char name[STORE_NAME_SIZE];
    char actual[DIGEST_SIZE];
    int rc;

    store_blob_name(digest, name);
    fd = openat(store_directory(store), name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    rc = fd < 0 ? -errno : digest_of_file(fd, actual);
    if (rc < 0)
        return error_set_errno(err, -rc, "%s", name);
    if (strcmp(actual, digest) != 0)
        return error_set(err, EBADMSG, "%s is damaged (its digest is %s); load the image again",
                         name, actual);
    return 0;
}

static int verify_root(const struct store *store, const char *config_digest, struct error *err)
{
    struct store_root root;
    int rc = store_root_read(store, config_digest, &root, err);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < STORE_ROOT_PARTS; i++) {
        AUTO_CLOSE int fd = -1;

        if (!root.parts[i].digest[0])
            continue;
        fd = store_root_open(store, &root, i, true, err);
        if (fd < 0)
            return fd;
    }
    return 0;
}

static int verify_parts(const struct store *store, const struct store_entry *entry,
                        struct error *err)
{
    AUTO_IMAGE_DETAILS struct image_details details = {0};
    int rc = image_details_read(store, entry, &details, err);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < details.manifest.layer_count; i++) {
        rc = verify_layer(store, details.manifest.layers[i].digest, err);
        if (rc < 0)
            return rc;
    }
    return verify_root(store, details.manifest.config_digest, err);
}

static int verify_one(const struct store *store, const struct store_entry *entry, const char *what)
{
    struct error problem = ERROR_INIT;
    int rc = verify_parts(store, entry, &problem);

    if (rc < 0)
        log_error("%s: %s", what, problem.text);
    else
        printf("%s: ok\n", what);
    return rc;
}

int image_command_verify(int argc, char **argv, struct error *err)
{
    AUTO_STRING_LIST struct string_list operands = {0};
    AUTO_STORE struct store *store = NULL;
    int failures = 0;
    int rc = image_options_parse(&verify_table, argc, argv, NULL, &operands, err);

    if (rc <= 0)
        return rc;
    rc = image_store_open(STORE_READ, &store, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < operands.count; i++) {
        const struct store_entry *entry = NULL;

        rc = image_store_find(store, operands.items[i], &entry, err);
        if (rc < 0)
            return rc;
        failures += verify_one(store, entry, operands.items[i]) < 0;
    }
    for (size_t i = 0; operands.count == 0 && i < store_count(store); i++) {
        const struct store_entry *entry = store_entry(store, i);

        failures += verify_one(store, entry, entry->name[0] ? entry->name : entry->digest) < 0;
    }
    return failures ? -EALREADY : 0;
}
