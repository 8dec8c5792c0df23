/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Determine the kind of the input. An image is recognised by its marks: oci-layout, an index.json
 * or manifest.json with an image's keys, blobs/sha256, and docker's names of layers and configs.
 * Other members are ignored. An image without its index or manifest is refused; only an input
 * without any mark is a root file system. A root file system may have another manifest.json, if it
 * also has other folders.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/base/bytes.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/io.h"
#include "vmm/base/text.h"
#include "vmm/image/import/layer.h"
#include "vmm/image/import/source_private.h"

bool source_is_document(const char *name)
{
    return strcmp(name, "index.json") == 0 || strcmp(name, "manifest.json") == 0;
}

/* HEX.json, HEX.tar, HEX.tar.gz, HEX/layer.tar and the like, sha256:HEX. */
static bool is_part_of_docker(const char *name)
{
    static const char *const endings[] = {"",     ".json",      ".tar",  ".tar.gz",
                                          ".tgz", "/layer.tar", "/json", "/VERSION"};
    bool has_prefix = strncmp(name, DIGEST_PREFIX, DIGEST_PREFIX_LENGTH) == 0;
    const char *hex = has_prefix ? name + DIGEST_PREFIX_LENGTH : name;

    if (strspn(hex, "0123456789abcdef") != DIGEST_HEX_LENGTH)
        return false;
    for (size_t i = has_prefix ? 0 : 1; i < ARRAY_LENGTH(endings); i++) {
        if (strcmp(hex + DIGEST_HEX_LENGTH, endings[i]) == 0)
            return true;
    }
    return false;
}

static bool is_below(const char *name, const char *folder)
{
    size_t length = strlen(folder);

    return strncmp(name, folder, length) == 0 && (name[length] == '/' || name[length] == '\0');
}

static void note_top(struct source_marks *marks, const char *name, bool is_directory)
{
    size_t length = strcspn(name, "/");
    bool is_first = marks->top[0] == '\0';

    if (is_first)
        snprintf(marks->top, sizeof(marks->top), "%.*s", (int)length, name);
    if (strlen(marks->top) != length || strncmp(marks->top, name, length) != 0 ||
        (name[length] == '\0' && !is_directory))
        marks->has_several_tops = true;
    if (name[length] == '/' &&
        (source_is_document(name + length + 1) || strcmp(name + length + 1, "oci-layout") == 0))
        marks->has_nested = true;
}

void source_note(struct source_marks *marks, const char *name, bool is_directory)
{
    size_t top = strcspn(name, "/");

    note_top(marks, name, is_directory);
    if (is_below(name, "blobs")) {
        marks->has_blobs |= is_below(name, "blobs/sha256") || is_below(name, "blobs/sha512");
    } else if (!is_directory && is_part_of_docker(name)) {
        marks->has_blobs = true;
    } else if (!is_directory && name[top] == '\0') {
        marks->has_layout |= strcmp(name, "oci-layout") == 0;
        marks->has_index |= strcmp(name, "index.json") == 0;
        marks->has_manifest |= strcmp(name, "manifest.json") == 0;
    } else if (strspn(name, "0123456789abcdef") != DIGEST_HEX_LENGTH || top != DIGEST_HEX_LENGTH) {
        marks->has_folders = true;
    }
}

static bool has_word(const char *text, size_t size, const char *word)
{
    return memmem(text, size, word, strlen(word)) != NULL;
}

void source_note_document(struct source_marks *marks, const char *name, const char *text,
                          size_t size)
{
    if (strcmp(name, "index.json") == 0) {
        marks->is_index = has_word(text, size, "\"manifests\"");
    } else {
        marks->is_docker_manifest =
            has_word(text, size, "\"Config\"") && has_word(text, size, "\"Layers\"");
        marks->is_image_manifest = has_word(text, size, "\"schemaVersion\"") &&
                                   has_word(text, size, "\"config\"") &&
                                   has_word(text, size, "\"layers\"");
    }
}

static int classify_root(const struct source_marks *marks, enum source_kind *kind,
                         struct error *err)
{
    char safe[TEXT_NAME_SIZE];

    if (marks->has_nested && !marks->has_several_tops)
        return error_set(err, ENOTSUP,
                         "holds an image in its folder '%s'; unpack it and load that folder, "
                         "or pack the folder's contents",
                         text_copy(safe, sizeof(safe), marks->top));
    *kind = SOURCE_ROOT;
    return 0;
}

int source_classify(const struct source_marks *marks, enum source_kind *kind, struct error *err)
{
    bool is_known = marks->is_index || marks->is_docker_manifest || marks->is_image_manifest;
    bool is_alone = (marks->has_index || marks->has_manifest) && !marks->has_folders;

    if (!is_known && !is_alone && !marks->has_layout && !marks->has_blobs)
        return classify_root(marks, kind, err);
    if (marks->has_index && (marks->is_index || !marks->has_manifest)) {
        *kind = SOURCE_OCI;
        return 0;
    }
    if (marks->is_image_manifest)
        return error_set(err, ENOTSUP,
                         "is a directory of skopeo (dir:); make an OCI layout of it with 'skopeo "
                         "copy dir:FROM oci:TO'");
    if (!marks->has_manifest)
        return error_set(err, EBADMSG, "%s",
                         marks->has_layout
                             ? "an OCI layout without index.json"
                             : "has the blobs of an image, but neither index.json nor "
                               "manifest.json");
    *kind = SOURCE_DOCKER;
    return 0;
}

/* A document of the directory, as far as source_classify() needs it; if it is not a regular file,
 * it does not count. */
static int read_document(int directory, const char *name, struct source_marks *marks,
                         struct error *err)
{
    AUTO_CLOSE int fd = openat(directory, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    AUTO_FREE char *text = malloc(SOURCE_MARK_SIZE);
    struct stat status;
    ssize_t size;

    if (!text)
        return error_set_errno(err, ENOMEM, "import");
    if (fd < 0 || fstat(fd, &status) < 0)
        return error_set_errno(err, errno, "%s", name);
    if (!S_ISREG(status.st_mode))
        return 0;
    size = io_read_full(fd, text, SOURCE_MARK_SIZE);
    if (size < 0)
        return error_set_errno(err, (int)-size, "%s", name);
    source_note_document(marks, name, text, (size_t)size);
    return 0;
}

static int note_item(int directory, const char *name, struct source_marks *marks, struct error *err)
{
    struct stat status;
    bool is_directory;

    if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : error_set_errno(err, errno, "%s", name);
    is_directory = S_ISDIR(status.st_mode);
    source_note(marks, name, is_directory);
    if (is_directory && strcmp(name, "blobs") == 0 &&
        (faccessat(directory, "blobs/sha256", F_OK, 0) == 0 ||
         faccessat(directory, "blobs/sha512", F_OK, 0) == 0))
        marks->has_blobs = true;
    if (S_ISREG(status.st_mode) && source_is_document(name))
        return read_document(directory, name, marks, err);
    return 0;
}

static int note_items(const struct source *source, struct source_marks *marks, struct error *err)
{
    AUTO_CLOSE int copy = openat(source->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO_CLOSEDIR DIR *directory = copy < 0 ? NULL : fdopendir(copy);
    const struct dirent *item;

    if (!directory)
        return error_set_errno(err, errno, "cannot read");
    steal_fd(&copy);
    while ((errno = 0, item = readdir(directory))) {
        int rc;

        if (strcmp(item->d_name, ".") == 0 || strcmp(item->d_name, "..") == 0)
            continue;
        rc = note_item(source->directory, item->d_name, marks, err);
        if (rc < 0)
            return rc;
    }
    return errno ? error_set_errno(err, errno, "cannot read") : 0;
}

int source_classify_directory(struct source *source, struct error *err)
{
    struct source_marks marks = {.has_several_tops = true};
    int rc = note_items(source, &marks, err);

    return rc < 0 ? rc : source_classify(&marks, &source->kind, err);
}
