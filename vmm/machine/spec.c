/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: machine.json; see spec.h. */
#include "vmm/machine/spec.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "devices/block/block.h"
#include "vmm/base/bytes.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/json.h"
#include "vmm/base/utf8.h"

static void json_cleanup(json_t **value)
{
    json_decref(*value);
}
#define AUTO_JSON __attribute__((cleanup(json_cleanup)))

void machine_spec_clear(struct machine_spec *spec)
{
    free(spec->memory_path);
    free(spec->kernel_path);
    free(spec->initramfs_path);
    free(spec->initramfs_tail_path);
    free(spec->command_line);
    for (unsigned i = 0; i < spec->disk_count; i++)
        free(spec->disks[i].path);
    memset(spec, 0, sizeof(*spec));
}

static const char *const memory_backings[] = {
    [MACHINE_MEMORY_ANONYMOUS] = "anonymous",
    [MACHINE_MEMORY_MEMFD] = "memfd",
    [MACHINE_MEMORY_FILE] = "file",
};

static json_t *disks_to_json(const struct machine_spec *spec)
{
    json_t *disks = json_array();

    for (unsigned i = 0; i < spec->disk_count; i++) {
        const struct machine_disk *disk = &spec->disks[i];
        json_t *item = json_pack("{s:s, s:b, s:s}", "path", disk->path, "read_only",
                                 (int)disk->read_only, "serial", disk->serial);

        if (json_array_append_new(disks, item) < 0) {
            json_decref(disks);
            return NULL;
        }
    }
    return disks;
}

static int check_texts(const struct machine_spec *spec, struct error *err)
{
    const struct {
        const char *what, *text;
    } texts[] = {{"memory file", spec->memory_path},
                 {"kernel", spec->kernel_path},
                 {"initramfs", spec->initramfs_path},
                 {"runtime directory", spec->initramfs_tail_path},
                 {"--cmdline", spec->command_line}};

    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        int rc = utf8_check(texts[i].text, texts[i].what, err);

        if (rc < 0)
            return rc;
    }
    for (unsigned i = 0; i < spec->disk_count; i++) {
        int rc = utf8_check(spec->disks[i].path, "--disk", err);

        if (rc < 0)
            return rc;
    }
    return 0;
}

static int write_json(const struct machine_spec *spec, char **json, struct error *err)
{
    json_error_t why;
    AUTO_JSON json_t *root = json_pack_ex(
        &why, 0, "{s:I, s:s, s:s?, s:i, s:s?, s:s?, s:s?, s:s?, s:o, s:b, s:b, s:b, s:b, s:b}",
        "memory_bytes", (json_int_t)spec->memory_bytes, "memory_backing",
        memory_backings[spec->memory_backing], "memory_path", spec->memory_path, "vcpu_count",
        (int)spec->vcpu_count, "kernel_path", spec->kernel_path, "initramfs_path",
        spec->initramfs_path, "initramfs_tail_path", spec->initramfs_tail_path, "command_line",
        spec->command_line, "disks", disks_to_json(spec), "vsock", (int)spec->vsock,
        "console_attached", (int)spec->console_attached, "earlycon", (int)spec->earlycon, "timed",
        (int)spec->timed, "narrated", (int)spec->narrated);
    char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;

    if (!text)
        return error_set(err, EINVAL, "machine description: %s", root ? "out of memory" : why.text);
    *json = text;
    return 0;
}

int machine_spec_to_json(const struct machine_spec *spec, char **json, struct error *err)
{
    int rc = check_texts(spec, err);

    return rc < 0 ? rc : write_json(spec, json, err);
}

/* Copies a string, or leaves NULL for null. */
static int copy_text(const json_t *value, const char *key, char **text, struct error *err)
{
    if (!json_is_string(value) && !json_is_null(value))
        return error_set(err, EINVAL, "machine description: '%s' is neither a string nor null",
                         key);
    *text = json_is_string(value) ? strdup(json_string_value(value)) : NULL;
    if (json_is_string(value) && !*text)
        return error_set_errno(err, ENOMEM, "machine description");
    return 0;
}

static int read_disk(json_t *item, struct machine_disk *disk, struct error *err)
{
    json_error_t why;
    const char *path;
    const char *serial;
    int read_only;

    if (json_unpack_ex(item, &why, JSON_STRICT, "{s:s, s:b, s:s}", "path", &path, "read_only",
                       &read_only, "serial", &serial) < 0)
        return error_set(err, EINVAL, "machine description: disk: %s", why.text);
    if (strlen(serial) >= sizeof(disk->serial))
        return error_set(err, EINVAL, "machine description: serial '%s' is longer than %zu bytes",
                         serial, sizeof(disk->serial) - 1);
    disk->read_only = read_only;
    memcpy(disk->serial, serial, strlen(serial) + 1);
    disk->path = strdup(path);
    return disk->path ? 0 : error_set_errno(err, ENOMEM, "machine description");
}

static int read_disks(json_t *disks, struct machine_spec *spec, struct error *err)
{
    json_t *item;
    size_t i;

    if (!json_is_array(disks) || json_array_size(disks) > MACHINE_DISKS_MAX)
        return error_set(err, EINVAL, "machine description: at most %d disks are possible",
                         MACHINE_DISKS_MAX);
    json_array_foreach(disks, i, item)
    {
        int rc = read_disk(item, &spec->disks[i], err);

        if (rc < 0)
            return rc;
        spec->disk_count++;
    }
    return 0;
}

static int read_backing(const char *name, const json_t *path, struct machine_spec *spec,
                        struct error *err)
{
    size_t which = 0;

    while (which < ARRAY_LENGTH(memory_backings) && strcmp(memory_backings[which], name) != 0)
        which++;
    if (which == ARRAY_LENGTH(memory_backings))
        return error_set(err, EINVAL,
                         "machine description: 'memory_backing' is none of anonymous, memfd, file");
    spec->memory_backing = (enum machine_memory_backing)which;
    if ((spec->memory_backing == MACHINE_MEMORY_FILE) != json_is_string(path))
        return error_set(err, EINVAL,
                         "machine description: 'memory_path' goes with the memory backing 'file'");
    return copy_text(path, "memory_path", &spec->memory_path, err);
}

#define TEXTS 4

/* Those of kernel, initramfs, its tail, command line. */
static int read_texts(json_t *const values[TEXTS], struct machine_spec *spec, struct error *err)
{
    const struct {
        const char *key;
        char **text;
    } texts[TEXTS] = {{"kernel_path", &spec->kernel_path},
                      {"initramfs_path", &spec->initramfs_path},
                      {"initramfs_tail_path", &spec->initramfs_tail_path},
                      {"command_line", &spec->command_line}};

    for (size_t i = 0; i < TEXTS; i++) {
        int rc = copy_text(values[i], texts[i].key, texts[i].text, err);

        if (rc < 0)
            return rc;
    }
    return 0;
}

static int read_spec(json_t *root, struct machine_spec *spec, struct error *err)
{
    json_error_t why;
    json_int_t memory_bytes;
    const char *memory_backing;
    json_t *memory_path;
    int vcpu_count;
    json_t *texts[TEXTS];
    json_t *disks;
    int vsock;
    int console_attached;
    int earlycon;
    int timed;
    int narrated;
    int rc;

    if (json_unpack_ex(root, &why, JSON_STRICT,
                       "{s:I, s:s, s:o, s:i, s:o, s:o, s:o, s:o, s:o, s:b, s:b, s:b, s:b, s:b}",
                       "memory_bytes", &memory_bytes, "memory_backing", &memory_backing,
                       "memory_path", &memory_path, "vcpu_count", &vcpu_count, "kernel_path",
                       &texts[0], "initramfs_path", &texts[1], "initramfs_tail_path", &texts[2],
                       "command_line", &texts[3], "disks", &disks, "vsock", &vsock,
                       "console_attached", &console_attached, "earlycon", &earlycon, "timed",
                       &timed, "narrated", &narrated) < 0)
        return error_set(err, EINVAL, "machine description: %s", why.text);
    if (memory_bytes <= 0)
        return error_set(err, EINVAL, "machine description: no memory");
    if (vcpu_count < 1 || vcpu_count > MACHINE_VCPUS_MAX)
        return error_set(err, EINVAL, "machine description: %d vCPUs; 1 to %d are possible",
                         vcpu_count, MACHINE_VCPUS_MAX);
    spec->memory_bytes = (uint64_t)memory_bytes;
    spec->vcpu_count = (unsigned)vcpu_count;
    spec->vsock = vsock;
    spec->console_attached = console_attached;
    spec->earlycon = earlycon;
    spec->timed = timed;
    spec->narrated = narrated;
    rc = read_texts(texts, spec, err);
    if (rc < 0)
        return rc;
    rc = read_backing(memory_backing, memory_path, spec, err);
    return rc < 0 ? rc : read_disks(disks, spec, err);
}

int machine_spec_from_json(const char *json, struct machine_spec *spec, struct error *err)
{
    AUTO_JSON json_t *root = NULL;
    int rc = json_parse(json, strlen(json), &root, err);

    memset(spec, 0, sizeof(*spec));
    if (rc < 0) {
        error_wrap(err, "machine description");
        return rc;
    }
    rc = read_spec(root, spec, err);
    if (rc < 0)
        machine_spec_clear(spec);
    return rc;
}

int machine_disk_check(const struct machine_disk *disk, struct error *err)
{
    struct stat status;

    if (stat(disk->path, &status) < 0)
        return error_set_errno(err, errno, "cannot find its size");
    return S_ISREG(status.st_mode) ? block_check_size((uint64_t)status.st_size, err) : 0;
}
