/* SPDX-License-Identifier: Apache-2.0 */
/* The description of a VM and its JSON; see spec.h. One table drives writing and reading. */
#include "vmm/machine/spec.h"

#include <errno.h>
#include <jansson.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "devices/block/block.h"
#include "vmm/base/bytes.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/json.h"
#include "vmm/base/utf8.h"

enum field_kind {
    FIELD_U64,
    FIELD_UNSIGNED,
    FIELD_BOOL,
    FIELD_CHOICE, /* an enum, by its names */
    FIELD_TEXT,   /* char *, NULL as null */
    FIELD_CHARS   /* char[max + 1] */
};

struct field {
    const char *key;
    enum field_kind kind;
    size_t offset;
    uint64_t min, max;          /* of a number; longest text of FIELD_CHARS */
    const char *option;         /* the option that sets a text, for messages */
    const char *const *choices; /* names up to NULL */
};

/* An array of structs in the spec, and its count. */
struct list {
    const char *key;
    const struct field *fields;
    size_t field_count;
    size_t offset, item_size, count_offset;
    unsigned max;
};

#define DISK(member)    offsetof(struct machine_disk, member)
#define NET(member)     offsetof(struct machine_net, member)
#define MACHINE(member) offsetof(struct machine_spec, member)

static const char *const memory_backings[] = {
    [MACHINE_MEMORY_ANONYMOUS] = "anonymous",
    [MACHINE_MEMORY_MEMFD] = "memfd",
    [MACHINE_MEMORY_FILE] = "file",
    NULL,
};

static const struct field disk_fields[] = {
    {"descriptor", FIELD_CHARS, DISK(descriptor), 0, FD_TABLE_NAME_SIZE - 1, "--disk", NULL},
    {"name", FIELD_TEXT, DISK(name), 0, 0, "--disk", NULL},
    {"read_only", FIELD_BOOL, DISK(read_only), 0, 0, NULL, NULL},
    {"serial", FIELD_CHARS, DISK(serial), 0, 20, "--disk", NULL},
};

static const char *const net_kinds[] = {
    [MACHINE_NET_STREAM] = "stream",
    [MACHINE_NET_PACKET] = "packet",
    [MACHINE_NET_TAP] = "tap",
    NULL,
};

static const struct field net_fields[] = {
    {"descriptor", FIELD_CHARS, NET(descriptor), 0, FD_TABLE_NAME_SIZE - 1, "network", NULL},
    {"kind", FIELD_CHOICE, NET(kind), 0, 0, NULL, net_kinds},
    {"mac", FIELD_CHARS, NET(mac), 0, 17, "network", NULL},
    {"mtu", FIELD_UNSIGNED, NET(mtu), 0, UINT16_MAX, NULL, NULL},
};

static const struct field machine_fields[] = {
    {"memory_bytes", FIELD_U64, MACHINE(memory_bytes), 1, INT64_MAX, NULL, NULL},
    {"memory_backing", FIELD_CHOICE, MACHINE(memory_backing), 0, 0, NULL, memory_backings},
    {"vcpu_count", FIELD_UNSIGNED, MACHINE(vcpu_count), 1, MACHINE_VCPUS_MAX, NULL, NULL},
    {"kernel_name", FIELD_TEXT, MACHINE(kernel_name), 0, 0, "kernel", NULL},
    {"command_line", FIELD_TEXT, MACHINE(command_line), 0, 0, "--cmdline", NULL},
    {"vsock", FIELD_BOOL, MACHINE(vsock), 0, 0, NULL, NULL},
    {"earlycon", FIELD_BOOL, MACHINE(earlycon), 0, 0, NULL, NULL},
    {"timed", FIELD_BOOL, MACHINE(timed), 0, 0, NULL, NULL},
    {"traced", FIELD_BOOL, MACHINE(traced), 0, 0, NULL, NULL},
};

static const struct list lists[] = {
    {"disks", disk_fields, ARRAY_LENGTH(disk_fields), MACHINE(disks), sizeof(struct machine_disk),
     MACHINE(disk_count), MACHINE_DISKS_MAX},
    {"nets", net_fields, ARRAY_LENGTH(net_fields), MACHINE(nets), sizeof(struct machine_net),
     MACHINE(net_count), MACHINE_NETS_MAX},
};

/* Fields are reached through their offsets, in both directions. */
static void *at(void *object, size_t offset)
{
    return (char *)object + offset;
}

static const void *at_const(const void *object, size_t offset)
{
    return (const char *)object + offset;
}

void machine_spec_clear(struct machine_spec *spec)
{
    free(spec->kernel_name);
    free(spec->command_line);
    for (unsigned i = 0; i < spec->disk_count; i++)
        free(spec->disks[i].name);
    memset(spec, 0, sizeof(*spec));
}

int machine_spec_add_disk(struct machine_spec *spec, struct fd_table *descriptors, int fd,
                          const char *name, bool read_only, const char *serial, struct error *err)
{
    struct machine_disk *disk = &spec->disks[spec->disk_count];
    struct stat status;
    int rc;

    if (spec->disk_count == MACHINE_DISKS_MAX)
        return error_set(err, E2BIG, "--disk: at most %d disks", MACHINE_DISKS_MAX);
    if (fstat(fd, &status) < 0)
        return error_set_errno(err, errno, "cannot find its size");
    if (S_ISREG(status.st_mode) && block_check_size((uint64_t)status.st_size, err) < 0)
        return -EINVAL;
    snprintf(disk->descriptor, sizeof(disk->descriptor), "disk%u", spec->disk_count);
    snprintf(disk->serial, sizeof(disk->serial), "%s", serial);
    disk->read_only = read_only;
    rc = fd_table_add(descriptors, disk->descriptor, fd, err);
    if (rc < 0)
        return rc;
    disk->name = strdup(name);
    if (!disk->name)
        return error_set_errno(err, ENOMEM, "--disk");
    spec->disk_count++;
    return 0;
}

int machine_spec_add_net(struct machine_spec *spec, struct fd_table *descriptors, int fd,
                         enum machine_net_kind kind, const char *mac, unsigned mtu,
                         struct error *err)
{
    struct machine_net *net = &spec->nets[spec->net_count];
    int rc;

    if (spec->net_count == MACHINE_NETS_MAX)
        return error_set(err, E2BIG, "at most %d network devices", MACHINE_NETS_MAX);
    snprintf(net->descriptor, sizeof(net->descriptor), "net%u", spec->net_count);
    snprintf(net->mac, sizeof(net->mac), "%s", mac);
    net->kind = kind;
    net->mtu = mtu;
    rc = fd_table_add(descriptors, net->descriptor, fd, err);
    if (rc < 0)
        return rc;
    spec->net_count++;
    return 0;
}

/* ---- writing ---- */

static json_t *write_field(const void *object, const struct field *field)
{
    const void *value = at_const(object, field->offset);
    const char *text;

    switch (field->kind) {
    case FIELD_U64:
        return json_integer((json_int_t) * (const uint64_t *)value);
    case FIELD_UNSIGNED:
        return json_integer((json_int_t) * (const unsigned *)value);
    case FIELD_BOOL:
        return json_boolean(*(const bool *)value);
    case FIELD_CHOICE:
        return json_string(field->choices[*(const unsigned *)value]);
    case FIELD_TEXT:
        text = *(char *const *)value;
        return text ? json_string(text) : json_null();
    default:
        return json_string(value);
    }
}

static int check_text(const void *object, const struct field *field, struct error *err)
{
    const void *value = at_const(object, field->offset);

    if (field->kind == FIELD_TEXT)
        return utf8_check(*(char *const *)value, field->option, err);
    return field->kind == FIELD_CHARS ? utf8_check(value, field->option, err) : 0;
}

static int write_object(const void *object, const struct field *fields, size_t count, json_t **json,
                        struct error *err)
{
    AUTO_JSON json_t *root = json_object();

    for (size_t i = 0; i < count; i++) {
        int rc = check_text(object, &fields[i], err);

        if (rc < 0)
            return rc;
        if (json_object_set_new(root, fields[i].key, write_field(object, &fields[i])) < 0)
            return error_set_errno(err, ENOMEM, "VM description");
    }
    *json = steal_pointer(root);
    return 0;
}

static int write_list(const struct machine_spec *spec, const struct list *list, json_t *root,
                      struct error *err)
{
    unsigned count = *(const unsigned *)at_const(spec, list->count_offset);
    json_t *array = json_array();

    if (json_object_set_new(root, list->key, array) < 0)
        return error_set_errno(err, ENOMEM, "VM description");
    for (unsigned i = 0; i < count; i++) {
        json_t *item = NULL;
        int rc = write_object(at_const(spec, list->offset + i * list->item_size), list->fields,
                              list->field_count, &item, err);

        if (rc < 0)
            return rc;
        if (json_array_append_new(array, item) < 0)
            return error_set_errno(err, ENOMEM, "VM description");
    }
    return 0;
}

int machine_spec_to_json(const struct machine_spec *spec, char **json, struct error *err)
{
    AUTO_JSON json_t *root = NULL;
    int rc = write_object(spec, machine_fields, ARRAY_LENGTH(machine_fields), &root, err);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < ARRAY_LENGTH(lists); i++) {
        rc = write_list(spec, &lists[i], root, err);
        if (rc < 0)
            return rc;
    }
    *json = json_to_text(root, JSON_COMPACT);
    return *json ? 0 : error_set_errno(err, ENOMEM, "VM description");
}

/* ---- reading ---- */

static int bad_field(const struct field *field, const char *what, struct error *err)
{
    return error_set(err, EINVAL, "VM description: '%s' %s", field->key, what);
}

static int read_number(const json_t *value, const struct field *field, uint64_t *number,
                       struct error *err)
{
    json_int_t given = json_integer_value(value);

    if (!json_is_integer(value) || given < 0)
        return bad_field(field, "is not a number", err);
    if ((uint64_t)given < field->min || (uint64_t)given > field->max)
        return error_set(err, EINVAL, "VM description: '%s' is %lld; %llu to %llu are possible",
                         field->key, (long long)given, (unsigned long long)field->min,
                         (unsigned long long)field->max);
    *number = (uint64_t)given;
    return 0;
}

static int read_choice(const json_t *value, const struct field *field, unsigned *choice,
                       struct error *err)
{
    const char *name = json_string_value(value);

    for (*choice = 0; name && field->choices[*choice]; (*choice)++)
        if (strcmp(field->choices[*choice], name) == 0)
            return 0;
    *choice = 0;
    return bad_field(field, "is not a known name", err);
}

static int read_text(const json_t *value, const struct field *field, char **text, struct error *err)
{
    if (json_is_null(value))
        return 0;
    if (!json_is_string(value))
        return bad_field(field, "is neither a string nor null", err);
    *text = strdup(json_string_value(value));
    return *text ? 0 : error_set_errno(err, ENOMEM, "VM description");
}

static int read_field(const json_t *value, const struct field *field, void *object,
                      struct error *err)
{
    void *target = at(object, field->offset);
    uint64_t number = 0;
    int rc = 0;

    switch (field->kind) {
    case FIELD_U64:
        rc = read_number(value, field, &number, err);
        *(uint64_t *)target = number;
        return rc;
    case FIELD_UNSIGNED:
        rc = read_number(value, field, &number, err);
        *(unsigned *)target = (unsigned)number;
        return rc;
    case FIELD_BOOL:
        *(bool *)target = json_is_true(value);
        return json_is_boolean(value) ? 0 : bad_field(field, "is not a boolean", err);
    case FIELD_CHOICE:
        return read_choice(value, field, target, err);
    case FIELD_TEXT:
        return read_text(value, field, target, err);
    default:
        if (!json_is_string(value))
            return bad_field(field, "is not a string", err);
        if (json_string_length(value) > field->max)
            return error_set(err, EINVAL, "VM description: '%s' is longer than %llu bytes",
                             field->key, (unsigned long long)field->max);
        memcpy(target, json_string_value(value), json_string_length(value) + 1);
        return 0;
    }
}

/* `more`: the number of other keys that the object has. */
static int read_object(const json_t *json, const struct field *fields, size_t count, size_t more,
                       void *object, struct error *err)
{
    if (!json_is_object(json))
        return error_set(err, EINVAL, "VM description: is not an object");
    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_object_get(json, fields[i].key);
        int rc = value ? read_field(value, &fields[i], object, err)
                       : bad_field(&fields[i], "is missing", err);

        if (rc < 0)
            return rc;
    }
    if (json_object_size(json) > count + more)
        return error_set(err, EINVAL, "VM description: has unknown keys");
    return 0;
}

static int read_list(const json_t *root, const struct list *list, struct machine_spec *spec,
                     struct error *err)
{
    const json_t *array = json_object_get(root, list->key);
    unsigned *count = at(spec, list->count_offset);

    if (!json_is_array(array) || json_array_size(array) > list->max)
        return error_set(err, EINVAL, "VM description: '%s': at most %u are possible", list->key,
                         list->max);
    while (*count < json_array_size(array)) {
        const json_t *item = json_array_get(array, *count);
        void *object = at(spec, list->offset + *count * list->item_size);
        int rc;

        (*count)++; /* also after a failure, so that it is released with the rest */
        rc = read_object(item, list->fields, list->field_count, 0, object, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int read_spec(const json_t *root, struct machine_spec *spec, struct error *err)
{
    int rc = read_object(root, machine_fields, ARRAY_LENGTH(machine_fields), ARRAY_LENGTH(lists),
                         spec, err);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < ARRAY_LENGTH(lists); i++) {
        rc = read_list(root, &lists[i], spec, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int machine_spec_from_json(const char *json, struct machine_spec *spec, struct error *err)
{
    AUTO_JSON json_t *root = NULL;
    int rc = json_parse(json, strlen(json), &root, err);

    memset(spec, 0, sizeof(*spec));
    if (rc < 0)
        return error_wrap(err, rc, "VM description");
    rc = read_spec(root, spec, err);
    if (rc < 0)
        machine_spec_clear(spec);
    return rc;
}
