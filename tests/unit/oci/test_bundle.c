/* SPDX-License-Identifier: Apache-2.0 */
/* The bundle: config.json as crun and docker's users expect it, and the small files. */
#include <errno.h>
#include <stdlib.h>

#include <jansson.h>

#include "tests/unit/unit.h"
#include "vmm/base/bytes.h"
#include "vmm/oci/bundle.h"

struct fixture {
    struct image_config image;
    struct process process;
    struct oci_options options;
    struct bundle_contents contents;
    void (*transform)(struct oci_config *config); /* as a sandbox does; NULL = not */
    struct oci_config config;
    struct bundle bundle;
    json_t *root;
};

static void set_up(struct fixture *fixture)
{
    *fixture = (struct fixture){
        .options = {.hostname = "box"},
    };
    fixture->process.working_dir = strdup("/srv");
    assert_int_equal(string_list_add(&fixture->process.arguments, "echo"), 0);
    assert_int_equal(string_list_add(&fixture->process.arguments, "grüße \"q\"\n"), 0);
    assert_int_equal(string_list_add(&fixture->process.environment, "A=1"), 0);
}

static int try_to_create(struct fixture *fixture, struct error *err)
{
    int rc = oci_config_init(&fixture->config, err);

    if (rc == 0)
        rc = oci_config_apply(&fixture->config, &fixture->image, &fixture->process,
                              &fixture->options, err);
    if (rc == 0)
        rc = oci_config_set_bundle(&fixture->config, "/bundle", err);
    if (rc < 0)
        return rc;
    if (fixture->transform)
        fixture->transform(&fixture->config);
    return bundle_create(&fixture->config, &fixture->contents, &fixture->bundle, err);
}

static void create(struct fixture *fixture)
{
    struct error err = ERROR_INIT;

    if (try_to_create(fixture, &err) != 0)
        fail_msg("%s", err.text);
    assert_string_equal(fixture->bundle.files[0].name, "config.json");
    fixture->root = json_loadb(fixture->bundle.files[0].data, fixture->bundle.files[0].size,
                               JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(fixture->root);
}

static void tear_down(struct fixture *fixture)
{
    json_decref(fixture->root);
    bundle_release(&fixture->bundle);
    oci_config_release(&fixture->config);
    string_list_release(&fixture->options.tmpfs);
    process_release(&fixture->process);
    config_release(&fixture->image);
}

/* The value at "a.b.0.c"; fails when there is none. */
static json_t *at(json_t *value, const char *path)
{
    char *copy = strdup(path);
    char *rest = copy;
    char *part;

    assert_non_null(copy);
    while ((part = strsep(&rest, "."))) {
        value = json_is_array(value) ? json_array_get(value, (size_t)atoi(part))
                                     : json_object_get(value, part);
        if (!value)
            fail_msg("no %s", path);
    }
    free(copy);
    return value;
}

static const char *text(json_t *value, const char *path)
{
    return json_string_value(at(value, path));
}

static json_t *find_mount(const struct fixture *fixture, const char *destination)
{
    const json_t *mounts = json_object_get(fixture->root, "mounts");
    json_t *found = NULL;

    for (size_t i = 0; i < json_array_size(mounts); i++) {
        json_t *mount = json_array_get(mounts, i);

        if (strcmp(json_string_value(json_object_get(mount, "destination")), destination) == 0) {
            assert_null(found);
            found = mount;
        }
    }
    return found;
}

/* The options of a mount, joined by commas. */
static void assert_mount(const struct fixture *fixture, const char *destination, const char *type,
                         const char *options)
{
    json_t *mount = find_mount(fixture, destination);
    const json_t *list = json_object_get(mount, "options");
    char joined[512] = "";

    if (!mount)
        fail_msg("no mount on %s", destination);
    for (size_t i = 0; i < json_array_size(list); i++) {
        strcat(joined, i ? "," : "");
        strcat(joined, json_string_value(json_array_get(list, i)));
    }
    assert_string_equal(text(mount, "type"), type);
    assert_string_equal(joined, options);
}

static void test_process(void **state)
{
    uint32_t groups[] = {7, 8};
    struct fixture fixture;

    (void)state;
    set_up(&fixture);
    fixture.process.uid = 1000;
    fixture.process.gid = 7;
    fixture.process.groups = malloc(sizeof(groups));
    assert_non_null(fixture.process.groups);
    memcpy(fixture.process.groups, groups, sizeof(groups));
    fixture.process.group_count = 2;
    create(&fixture);
    assert_string_equal(text(fixture.root, "process.args.1"), "grüße \"q\"\n");
    assert_string_equal(text(fixture.root, "process.env.0"), "A=1");
    assert_string_equal(text(fixture.root, "process.cwd"), "/srv");
    assert_true(json_is_false(at(fixture.root, "process.terminal")));
    assert_true(json_is_false(at(fixture.root, "process.noNewPrivileges")));
    assert_int_equal(json_integer_value(at(fixture.root, "process.user.uid")), 1000);
    assert_int_equal(json_integer_value(at(fixture.root, "process.user.gid")), 7);
    assert_int_equal(json_integer_value(at(fixture.root, "process.user.additionalGids.1")), 8);
    /* Not root: no capability of its own. */
    assert_int_equal(json_array_size(at(fixture.root, "process.capabilities.bounding")), 14);
    assert_null(json_object_get(at(fixture.root, "process.capabilities"), "effective"));
    tear_down(&fixture);
}

static void test_root_user(void **state)
{
    struct fixture fixture;

    (void)state;
    set_up(&fixture);
    fixture.options.terminal = true;
    create(&fixture);
    assert_true(json_is_true(at(fixture.root, "process.terminal")));
    assert_int_equal(json_array_size(at(fixture.root, "process.capabilities.effective")), 14);
    assert_int_equal(json_array_size(at(fixture.root, "process.capabilities.permitted")), 14);
    assert_string_equal(text(fixture.root, "root.path"), "rootfs");
    assert_true(json_is_false(at(fixture.root, "root.readonly")));
    assert_string_equal(text(fixture.root, "hostname"), "box");
    tear_down(&fixture);
}

static void test_no_devices(void **state)
{
    struct fixture fixture;
    size_t index;
    const json_t *name;

    (void)state;
    set_up(&fixture);
    fixture.transform = oci_config_forbid_devices;
    create(&fixture);
    assert_int_equal(json_array_size(at(fixture.root, "process.capabilities.bounding")), 13);
    json_array_foreach(at(fixture.root, "process.capabilities.bounding"), index, name)
        assert_string_not_equal(json_string_value(name), "CAP_MKNOD");
    tear_down(&fixture);
}

static void assert_refused(struct fixture *fixture, const char *expected)
{
    struct error err = ERROR_INIT;

    assert_int_equal(try_to_create(fixture, &err), -EILSEQ);
    if (strncmp(err.text, expected, strlen(expected)) != 0)
        fail_msg("'%s' instead of '%s'", err.text, expected);
    tear_down(fixture);
}

static void test_bytes_that_are_not_utf8(void **state)
{
    struct error err = ERROR_INIT;
    struct fixture fixture;

    (void)state;
    set_up(&fixture);
    assert_int_equal(string_list_add(&fixture.process.arguments, "a\xff"), 0);
    assert_refused(&fixture, "argument 2 of the command: byte 0xff at offset 1 of ");
    set_up(&fixture);
    assert_int_equal(string_list_add(&fixture.process.environment, "B=\xc0\x80"), 0);
    assert_refused(&fixture, "environment variable B: byte 0xc0 at offset 2 of ");
    set_up(&fixture);
    assert_int_equal(string_list_add(&fixture.options.tmpfs, "/\xed\xa0\x80"), 0);
    assert_refused(&fixture, "--tmpfs: byte 0xed at offset 1 of ");
    set_up(&fixture);
    free(fixture.process.working_dir);
    fixture.process.working_dir = strdup("/\xf5");
    assert_refused(&fixture, "working directory: byte 0xf5 at offset 1 of ");
    set_up(&fixture);
    assert_int_equal(oci_config_set_cgroup(&fixture.config, "/\x80", &err), -EILSEQ);
    assert_non_null(strstr(err.text, "--cgroup-parent: byte 0x80 at offset 1 of "));
    assert_int_equal(oci_config_set_bundle(&fixture.config, "/\x80", &err), -EILSEQ);
    assert_non_null(strstr(err.text, "runtime directory: byte 0x80 at offset 1 of "));
    tear_down(&fixture);
}

static uint64_t group_count;

static void own_network(struct oci_config *config)
{
    assert_int_equal(oci_config_set_network(config, true, group_count, NULL), 0);
    oci_config_limit_groups(config, group_count);
}

static void shared_network(struct oci_config *config)
{
    assert_int_equal(oci_config_set_network(config, false, 0, NULL), 0);
}

static void assert_ping_groups(uint64_t count, const char *expected)
{
    struct fixture fixture;
    const json_t *sysctl;

    set_up(&fixture);
    group_count = count;
    fixture.transform = own_network;
    create(&fixture);
    sysctl = at(fixture.root, "linux.sysctl");
    assert_string_equal(
        json_string_value(json_object_get(sysctl, "net.ipv4.ip_unprivileged_port_start")), "0");
    assert_string_equal(json_string_value(json_object_get(sysctl, "net.ipv4.ping_group_range")),
                        expected);
    /* devpts cannot give terminals to a group that there is not. */
    assert_mount(&fixture, "/dev/pts", "devpts",
                 count == 1 ? "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620"
                            : "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5");
    tear_down(&fixture);
}

static void test_network_settings(void **state)
{
    struct fixture fixture;

    (void)state;
    assert_ping_groups(0, "0 2147483647");
    assert_ping_groups(4294967295, "0 2147483647");
    assert_ping_groups(65537, "0 65536");
    assert_ping_groups(1, "0 0");
    set_up(&fixture); /* the caller's network is not ours to set */
    fixture.transform = shared_network;
    create(&fixture);
    assert_null(json_object_get(at(fixture.root, "linux"), "sysctl"));
    assert_int_equal(json_array_size(at(fixture.root, "linux.namespaces")), 5);
    tear_down(&fixture);
}

static void all_limits(struct oci_config *config)
{
    assert_int_equal(oci_config_set_cgroup(config, "/microvm/box", NULL), 0);
    config->resources = (struct oci_resources){
        .memory_limit = 64U << 20,
        .memory_swap = 128U << 20,
        .millicpus = 1500,
        .pids_limit = 100,
    };
}

static void test_linux(void **state)
{
    struct fixture fixture;

    (void)state;
    set_up(&fixture);
    create(&fixture);
    assert_int_equal(json_array_size(at(fixture.root, "linux.namespaces")), 6);
    assert_true(json_is_false(at(fixture.root, "linux.resources.devices.0.allow")));
    assert_null(json_object_get(at(fixture.root, "linux.resources"), "memory"));
    assert_null(json_object_get(at(fixture.root, "linux"), "cgroupsPath"));
    tear_down(&fixture);

    set_up(&fixture);
    fixture.transform = all_limits;
    create(&fixture);
    assert_int_equal(json_array_size(at(fixture.root, "linux.namespaces")), 6);
    assert_string_equal(text(fixture.root, "linux.namespaces.5.type"), "network");
    assert_string_equal(text(fixture.root, "linux.cgroupsPath"), "/microvm/box");
    assert_int_equal(json_integer_value(at(fixture.root, "linux.resources.memory.limit")),
                     64 << 20);
    assert_int_equal(json_integer_value(at(fixture.root, "linux.resources.memory.swap")),
                     128 << 20);
    assert_int_equal(json_integer_value(at(fixture.root, "linux.resources.cpu.quota")), 150000);
    assert_int_equal(json_integer_value(at(fixture.root, "linux.resources.cpu.period")), 100000);
    assert_int_equal(json_integer_value(at(fixture.root, "linux.resources.pids.limit")), 100);
    tear_down(&fixture);
}

static void test_mounts(void **state)
{
    struct fixture fixture;

    (void)state;
    set_up(&fixture);
    assert_int_equal(string_list_add(&fixture.image.volumes, "/data"), 0);
    create(&fixture);
    assert_mount(&fixture, "/proc", "proc", "nosuid,noexec,nodev");
    assert_mount(&fixture, "/sys", "sysfs", "nosuid,noexec,nodev,ro");
    assert_mount(&fixture, "/sys/fs/cgroup", "cgroup", "ro,nosuid,noexec,nodev");
    assert_mount(&fixture, "/dev/shm", "tmpfs", "nosuid,noexec,nodev,mode=1777,size=67108864");
    assert_mount(&fixture, "/etc/hosts", "bind", "rbind,rprivate");
    assert_string_equal(text(find_mount(&fixture, "/etc/resolv.conf"), "source"),
                        "/bundle/resolv.conf");
    assert_null(find_mount(&fixture, "/data")); /* the root is writable */
    tear_down(&fixture);
}

static void test_read_only(void **state)
{
    struct fixture fixture;

    (void)state;
    set_up(&fixture);
    fixture.options.read_only = true;
    assert_int_equal(string_list_add(&fixture.image.volumes, "/data"), 0);
    assert_int_equal(string_list_add(&fixture.image.volumes, "/tmp"), 0);
    assert_int_equal(string_list_add(&fixture.image.volumes, "/"), 0);
    assert_int_equal(string_list_add(&fixture.image.volumes, "/data/../proc/"), 0);
    assert_int_equal(string_list_add(&fixture.options.tmpfs, "/tmp/"), 0);
    create(&fixture);
    assert_true(json_is_true(at(fixture.root, "root.readonly")));
    assert_mount(&fixture, "/etc/hosts", "bind", "rbind,rprivate,ro");
    assert_mount(&fixture, "/data", "tmpfs", "nosuid,nodev,tmpcopyup");
    assert_mount(&fixture, "/tmp", "tmpfs", "noexec,nosuid,nodev"); /* only once */
    assert_mount(&fixture, "/proc", "proc", "nosuid,noexec,nodev");
    assert_int_equal(json_array_size(at(fixture.root, "mounts")), 12);
    tear_down(&fixture);
}

static const struct {
    const char *option;
    const char *destination;
    const char *options; /* null: an error */
} tmpfs[] = {
    {"/tmp", "/tmp", "noexec,nosuid,nodev"},
    {"/run:size=64m,mode=1770", "/run", "noexec,nosuid,nodev,size=64m,mode=1770"},
    {"/run:exec,ro,uid=5", "/run", "exec,nosuid,nodev,ro,uid=5"},
    {"/run:exec,noexec", "/run", "noexec,nosuid,nodev"},
    {"/run:size=50%,,", "/run", "noexec,nosuid,nodev,size=50%"},
    {"//a/./b/../c/", "/a/c", "noexec,nosuid,nodev"},
    {"/../a/...", "/a/...", "noexec,nosuid,nodev"},
    {"tmp", NULL, NULL},
    {"/", NULL, NULL},
    {"/.", NULL, NULL},
    {"/a/../..:size=1m", NULL, NULL},
    {"//", NULL, NULL},
    {"", NULL, NULL},
    {"/x:size=12Q", NULL, NULL},
    {"/x:size=", NULL, NULL},
    {"/x:mode=9", NULL, NULL},
    {"/x:uid=me", NULL, NULL},
    {"/x:bind", NULL, NULL},
    {"/x:sizes=1", NULL, NULL},
};

static void test_tmpfs(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(tmpfs); i++) {
        struct fixture fixture;
        struct error err = ERROR_INIT;

        set_up(&fixture);
        assert_int_equal(string_list_add(&fixture.options.tmpfs, tmpfs[i].option), 0);
        if (tmpfs[i].options) {
            create(&fixture);
            assert_mount(&fixture, tmpfs[i].destination, "tmpfs", tmpfs[i].options);
        } else {
            assert_int_equal(try_to_create(&fixture, &err), -EINVAL);
            assert_non_null(strstr(err.text, "--tmpfs"));
        }
        tear_down(&fixture);
    }
}

static void test_files(void **state)
{
    static const char targets[] = "d/dev\0d/sysroot\0d/etc\0f/etc/hosts\0f/etc/hostname\0"
                                  "f/etc/resolv.conf\0d/var/cache\0";
    struct fixture fixture;

    (void)state;
    set_up(&fixture);
    fixture.contents.resolv_conf = "nameserver 192.0.2.1\n";
    fixture.contents.hosts = "192.0.2.7\tpeer\n";
    assert_int_equal(string_list_add(&fixture.options.tmpfs, "/var/cache"), 0);
    assert_int_equal(string_list_add(&fixture.options.tmpfs, "/dev/x"), 0);
    assert_int_equal(string_list_add(&fixture.options.tmpfs, "/sysroot"), 0);
    assert_int_equal(string_list_add(&fixture.options.tmpfs, "/etc"), 0);
    create(&fixture);
    assert_string_equal(fixture.bundle.files[1].name, "hosts");
    assert_non_null(strstr(fixture.bundle.files[1].data, "127.0.0.1\tlocalhost\n"));
    assert_non_null(strstr(fixture.bundle.files[1].data, "\tbox\n192.0.2.7\tpeer\n"));
    assert_string_equal(fixture.bundle.files[2].name, "hostname");
    assert_string_equal(fixture.bundle.files[2].data, "box\n");
    assert_string_equal(fixture.bundle.files[3].name, "resolv.conf");
    assert_string_equal(fixture.bundle.files[3].data, "nameserver 192.0.2.1\n");
    assert_string_equal(fixture.bundle.files[4].name, "targets");
    assert_int_equal(fixture.bundle.files[4].size, sizeof(targets) - 1);
    assert_memory_equal(fixture.bundle.files[4].data, targets, sizeof(targets) - 1);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(fixture.bundle.files[i].size, strlen(fixture.bundle.files[i].data));
        assert_int_equal(fixture.bundle.files[i].mode, 0644);
    }
    tear_down(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_process),          cmocka_unit_test(test_root_user),
        cmocka_unit_test(test_no_devices),       cmocka_unit_test(test_linux),
        cmocka_unit_test(test_network_settings), cmocka_unit_test(test_bytes_that_are_not_utf8),
        cmocka_unit_test(test_mounts),           cmocka_unit_test(test_tmpfs),
        cmocka_unit_test(test_read_only),        cmocka_unit_test(test_files),

    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
