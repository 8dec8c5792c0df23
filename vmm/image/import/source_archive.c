/* SPDX-License-Identifier: Apache-2.0 */
/* Image archives: list their members, and find one. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/base/bytes.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/text.h"
#include "vmm/image/import/archive_error.h"
#include "vmm/image/import/layer.h"
#include "vmm/image/import/packed_input.h"
#include "vmm/image/import/source_private.h"

#define MEMBERS_MAX 65536
#define LINKS_MAX   16

static int open_archive(int fd, bool raw, struct archive **archive, struct packed_input **input,
                        struct error *err)
{
    struct archive *opened = archive_read_new();
    int rc = 0;

    if (!opened)
        return error_set_errno(err, ENOMEM, "import");
    if (raw)
        archive_read_support_format_raw(opened);
    else
        archive_read_support_format_tar(opened);
    if (lseek(fd, 0, SEEK_SET) < 0)
        rc = error_set_errno(err, errno, "cannot seek");
    else
        rc = packed_input_open(opened, fd, input, err);
    if (rc < 0) {
        archive_read_free(opened);
        return rc;
    }
    *archive = opened;
    return 0;
}

/* "./a/b/" is "a/b", and so is "/a/b", as tar reads it. */
static char *plain_name(const char *text)
{
    size_t length;

    while (text[0] == '/' || (text[0] == '.' && text[1] == '/'))
        text += 1 + strspn(text + 1, "/");
    if (strcmp(text, ".") == 0)
        text++;
    length = strlen(text);
    while (length > 0 && text[length - 1] == '/')
        length--;
    return strndup(text, length);
}

static bool has_dotdot(const char *name)
{
    while (*name) {
        size_t length = strcspn(name, "/");

        if (length == 2 && name[0] == '.' && name[1] == '.')
            return true;
        name += length;
        name += strspn(name, "/");
    }
    return false;
}

/* Name of the member that a symbolic link `target` in the member `name` leads to. */
static char *resolve_link(const char *name, const char *target)
{
    const char *slash = strrchr(name, '/');
    char *directory = strndup(name, slash ? (size_t)(slash - name) : 0);
    char *resolved = NULL;

    while (directory && (strncmp(target, "../", 3) == 0 || strncmp(target, "./", 2) == 0)) {
        if (target[1] == '.') {
            char *up = strrchr(directory, '/');

            if (directory[0] == '\0') {
                free(directory);
                return strdup(target); /* outside of the archive: no member has this name */
            }
            *(up ? up : directory) = '\0';
        }
        target = strchr(target, '/') + 1;
    }
    if (directory && asprintf(&resolved, "%s%s%s", directory, directory[0] ? "/" : "", target) < 0)
        resolved = NULL;
    free(directory);
    return resolved;
}

static void forget_members(struct source *source)
{
    for (size_t i = 0; i < source->count; i++) {
        free(source->members[i].name);
        free(source->members[i].link);
    }
    source->count = 0;
}

/* Takes ownership of `name`. */
static int add_member(struct source *source, char *name, struct archive_entry *entry,
                      uint64_t position, struct error *err)
{
    const char *hard = archive_entry_hardlink(entry);
    const char *target = archive_entry_symlink(entry);
    char *link = hard ? plain_name(hard) : target ? resolve_link(name, target) : NULL;
    struct member *members = reallocarray(source->members, source->count + 1, sizeof(*members));

    if (members)
        source->members = members;
    if (!members || ((hard || target) && !link)) {
        free(name);
        free(link);
        return error_set_errno(err, ENOMEM, "import");
    }
    source->members[source->count++] = (struct member){name, link, position};
    return 0;
}

/* The beginning of a member that may be a document of an image. */
static int read_document(struct archive *archive, const char *name, struct source_marks *marks,
                         struct error *err)
{
    AUTO_FREE char *text = malloc(SOURCE_MARK_SIZE);
    la_ssize_t size = text ? archive_read_data(archive, text, SOURCE_MARK_SIZE) : 0;

    if (!text)
        return error_set_errno(err, ENOMEM, "import");
    if (size < 0)
        return archive_error_take(archive, err);
    source_note_document(marks, name, text, (size_t)size);
    return 0;
}

static int scan_entry(struct source *source, struct archive *archive, struct archive_entry *entry,
                      uint64_t position, struct source_marks *marks, struct error *err)
{
    const char *path = archive_entry_pathname(entry);
    AUTO_FREE char *name = path ? plain_name(path) : NULL;
    bool is_directory = archive_entry_filetype(entry) == AE_IFDIR;
    char safe[TEXT_NAME_SIZE];
    int rc = 0;

    if (!name)
        return error_set(err, EBADMSG, "an entry has no readable name");
    if (has_dotdot(name))
        return error_set(err, EINVAL, "'%s': has a '..' in its name",
                         text_copy(safe, sizeof(safe), path));
    if (name[0] == '\0')
        return 0;
    source_note(marks, name, is_directory);
    if (is_directory)
        return 0;
    if (source_is_document(name) && archive_entry_filetype(entry) == AE_IFREG)
        rc = read_document(archive, name, marks, err);
    if (rc < 0 || marks->is_overfull)
        return rc;
    if (source->count == MEMBERS_MAX) {
        marks->is_overfull = true; /* allowed for a root file system, which needs no list */
        forget_members(source);
        return 0;
    }
    return add_member(source, steal_pointer(name), entry, position, err);
}

static int compare_members(const void *a, const void *b)
{
    const struct member *first = a;
    const struct member *second = b;
    int order = strcmp(first->name, second->name);

    if (order == 0)
        order = first->position < second->position ? -1 : first->position > second->position;
    return order;
}

static int compare_name(const void *name, const void *member)
{
    return strcmp(name, ((const struct member *)member)->name);
}

/* Of several members of one name, the last counts. */
static void sort_members(struct source *source)
{
    size_t kept = 0;

    if (source->count == 0)
        return;
    qsort(source->members, source->count, sizeof(*source->members), compare_members);
    for (size_t i = 0; i < source->count; i++) {
        struct member *last = kept ? &source->members[kept - 1] : NULL;

        if (last && strcmp(last->name, source->members[i].name) == 0) {
            free(last->name);
            free(last->link);
            kept--;
        }
        source->members[kept++] = source->members[i];
    }
    source->count = kept;
}

static const struct member *find_member(const struct source *source, const char *name)
{
    return source->count
               ? bsearch(name, source->members, source->count, sizeof(struct member), compare_name)
               : NULL;
}

/* Follows links to a regular file. */
static int resolve_member(const struct source *source, const char *name,
                          const struct member **found, struct error *err)
{
    AUTO_FREE char *plain = plain_name(name);
    const struct member *member = plain ? find_member(source, plain) : NULL;
    char safe[TEXT_NAME_SIZE];

    if (!plain)
        return error_set_errno(err, ENOMEM, "import");

    for (int links = 0; member && member->link; links++) {
        if (links == LINKS_MAX)
            return error_set(err, ELOOP, "'%s': its links form a cycle",
                             text_copy(safe, sizeof(safe), name));
        member = find_member(source, member->link);
    }
    if (!member)
        return error_set(err, ENOENT, "'%s' is missing in the archive",
                         text_copy(safe, sizeof(safe), name));
    *found = member;
    return 0;
}

/* The next entry. A warning is for instance a name that is not UTF-8: its bytes are kept. */
static int next_entry(struct archive *archive, struct archive_entry **entry)
{
    int rc = archive_read_next_header(archive, entry);

    return rc == ARCHIVE_WARN ? ARCHIVE_OK : rc;
}

static int scan(struct source *source, struct archive *archive, struct error *err)
{
    AUTO_FREE struct source_marks *marks = calloc(1, sizeof(*marks));
    struct archive_entry *entry;
    uint64_t position = 0;
    int rc;

    if (!marks)
        return error_set_errno(err, ENOMEM, "import");
    while ((rc = next_entry(archive, &entry)) == ARCHIVE_OK) {
        int found = scan_entry(source, archive, entry, position++, marks, err);

        if (found < 0)
            return found;
    }
    if (rc != ARCHIVE_EOF)
        return archive_error_take(archive, err);
    sort_members(source);
    rc = source_classify(marks, &source->kind, err);
    if (rc < 0)
        return rc;
    if (source->kind != SOURCE_ROOT && marks->is_overfull)
        return error_set(err, E2BIG, "more than %d members in an image archive", MEMBERS_MAX);
    return 0;
}

int source_scan(struct source *source, struct error *err)
{
    AUTO_ARCHIVE struct archive *archive = NULL;
    struct packed_input *input = NULL;
    int rc = open_archive(source->archive, false, &archive, &input, err);

    if (rc < 0)
        return error_wrap(err, rc, "neither an image nor a root file system");
    rc = scan(source, archive, err);
    source->compressed = packed_input_is_compressed(input);
    return rc;
}

static int seek_member(struct archive *archive, const struct member *member, struct error *err)
{
    struct archive_entry *entry;
    uint64_t position = 0;
    int rc;

    while ((rc = next_entry(archive, &entry)) == ARCHIVE_OK) {
        const char *path = archive_entry_pathname(entry);
        AUTO_FREE char *name = path ? plain_name(path) : NULL;

        if (position++ == member->position && name && strcmp(name, member->name) == 0)
            return 0;
    }
    return rc == ARCHIVE_EOF ? error_set(err, EBADMSG, "the archive changed meanwhile")
                             : archive_error_take(archive, err);
}

int source_open_member(struct source *source, const char *name, struct archive **archive,
                       struct error *err)
{
    AUTO_ARCHIVE struct archive *opened = NULL;
    const struct member *member = NULL;
    struct packed_input *input = NULL;
    int rc = resolve_member(source, name, &member, err);

    if (rc < 0 || !member)
        return rc;
    rc = open_archive(source->archive, false, &opened, &input, err);
    if (rc < 0)
        return rc;
    rc = seek_member(opened, member, err);
    if (rc < 0)
        return rc;
    *archive = steal_pointer(opened);
    return 0;
}

/* Compares the checksum of a tar header, whose own bytes count as spaces; both variants. */
static bool has_tar_sum(const unsigned char head[512])
{
    char text[9] = {0};
    unsigned long wanted;
    unsigned long plain = 8UL * ' ';
    long with_signs = 8L * ' ';

    for (size_t i = 0; i < 512; i++) {
        bool is_sum = i >= 148 && i < 156;

        plain += is_sum ? 0 : head[i];
        with_signs += is_sum ? 0 : (signed char)head[i];
    }
    memcpy(text, head + 148, 8);
    wanted = strtoul(text, NULL, 8);
    return wanted == plain || (long)wanted == with_signs;
}

bool source_is_plausible(const unsigned char *head, size_t size)
{
    static const struct {
        size_t length;
        const char *bytes;
    } compressed[] = {
        {2, "\x1f\x8b"},     /* gzip */
        {3, "\x28\xb5\x2f"}, /* zstd: the last byte of the magic number follows */
        {4, "\xfd\x37zX"},   /* xz */
        {3, "BZh"},          /* bzip2 */
        {3, "\x2a\x4d\x18"}, /* zstd: a skippable frame, from its second byte */
    };

    for (size_t i = 0; i < ARRAY_LENGTH(compressed); i++) {
        size_t at = i + 1 == ARRAY_LENGTH(compressed) ? 1 : 0;

        if (size >= at + compressed[i].length &&
            memcmp(head + at, compressed[i].bytes, compressed[i].length) == 0)
            return true;
    }
    return size >= 512 && has_tar_sum(head);
}

int source_unpack(int fd, struct sink *sink, struct error *err)
{
    AUTO_ARCHIVE struct archive *archive = NULL;
    struct archive_entry *entry;
    struct packed_input *input = NULL;
    int rc = open_archive(fd, true, &archive, &input, err);

    if (rc < 0)
        return rc;
    if (archive_read_next_header(archive, &entry) != ARCHIVE_OK)
        return archive_error_take(archive, err);
    for (;;) {
        const void *data;
        size_t size;
        la_int64_t offset;
        int status = archive_read_data_block(archive, &data, &size, &offset);

        if (status == ARCHIVE_EOF)
            return 0;
        if (status != ARCHIVE_OK)
            return archive_error_take(archive, err);
        rc = budget_unpack(sink->budget, packed_input_take_count(input), size, err);
        if (rc < 0)
            return rc;
        rc = sink_write(sink, data, size, err);
        if (rc < 0)
            return rc;
    }
}
