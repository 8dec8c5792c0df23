/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system call filter: what it takes away and what it leaves, in both of its forms. The
 * compiled form is run here, on a process of its own, and compared with the list.
 */
#include <errno.h>
#include <jansson.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <nettle/base64.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "vmm/oci/seccomp.h"
#include "vmm/oci/seccomp_profile.h"

static bool list_allows(const char *wanted)
{
    size_t position = 0;
    const char *name;

    while ((name = seccomp_profile_next(&position)))
        if (strcmp(name, wanted) == 0)
            return true;
    return false;
}

static void test_list(void **state)
{
    static const char *const open[] = {"read",    "openat", "execve", "ptrace",
                                       "chroot",  "mknod",  "futex",  "seccomp",
                                       "connect", "stat64", "setuid", "landlock_create_ruleset"};
    static const char *const closed[] = {"mount",  "unshare",         "bpf",       "keyctl",
                                         "reboot", "io_uring_setup",  "clone",     "init_module",
                                         "socket", "perf_event_open", "socketcall"};

    (void)state;
    for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++)
        assert_true(list_allows(open[i]));
    for (size_t i = 0; i < sizeof(closed) / sizeof(closed[0]); i++)
        assert_false(list_allows(closed[i]));
}

static void test_json(void **state)
{
    json_t *seccomp = seccomp_make_json();
    json_t *rules = json_object_get(seccomp, "syscalls");

    (void)state;
    assert_string_equal(json_string_value(json_object_get(seccomp, "defaultAction")),
                        "SCMP_ACT_ERRNO");
    assert_int_equal(json_array_size(rules), 1 + seccomp_profile_rule_count);
    assert_int_equal(json_array_size(json_object_get(seccomp, "architectures")), 3);
    assert_true(json_array_size(json_object_get(json_array_get(rules, 0), "names")) > 300);
    json_decref(seccomp);
}

static struct sock_fprog load_filter(void)
{
    json_t *annotations = json_loads(seccomp_annotations, 0, NULL);
    const char *text = json_string_value(json_object_get(annotations, "run.oci.seccomp_bpf_data"));
    size_t size = BASE64_DECODE_LENGTH(strlen(text));
    uint8_t *bytes = malloc(size);
    struct base64_decode_ctx decoder;

    base64_decode_init(&decoder);
    assert_non_null(bytes);
    assert_int_equal(base64_decode_update(&decoder, &size, bytes, strlen(text), text), 1);
    assert_int_equal(base64_decode_final(&decoder), 1);
    assert_int_equal(size % sizeof(struct sock_filter), 0);
    json_decref(annotations);
    return (struct sock_fprog){(unsigned short)(size / sizeof(struct sock_filter)),
                               (struct sock_filter *)(void *)bytes};
}

/* What a process under the filter hears when it makes the call: 0 or errno. */
static int ask(const struct sock_fprog *filter, long number, long first)
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
            syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, filter) < 0)
            _exit(255);
        _exit(syscall(number, first, 0, 0, 0, 0, 0) < 0 ? errno : 0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_not_equal(WEXITSTATUS(status), 255);
    return WEXITSTATUS(status);
}

static void test_compiled(void **state)
{
    const struct sock_fprog filter = load_filter();

    (void)state;
    assert_int_equal(ask(&filter, SYS_getppid, 0), 0);
    assert_int_equal(ask(&filter, SYS_close, -1), EBADF);
    assert_int_equal(ask(&filter, SYS_unshare, 0), EPERM); /* of the kernel: 0 */
    assert_int_equal(ask(&filter, SYS_keyctl, -1), EPERM); /* of the kernel: EOPNOTSUPP */
    assert_int_equal(ask(&filter, SYS_clone3, 0), ENOSYS); /* of the kernel: EINVAL */
    assert_int_equal(ask(&filter, SYS_clone, 0x10000000), EPERM);
    assert_int_equal(ask(&filter, SYS_personality, 0xffffffff), 0);
    assert_int_equal(ask(&filter, SYS_personality, 0x40000), EPERM);
    assert_int_equal(ask(&filter, SYS_socket, AF_UNIX), ESOCKTNOSUPPORT); /* of the kernel */
    assert_int_equal(ask(&filter, SYS_socket, AF_VSOCK), EPERM);
    assert_int_equal(ask(&filter, SYS_socket, AF_VSOCK | 1L << 32), EPERM);
    assert_int_equal(ask(&filter, SYS_socket, AF_MCTP + 1), EPERM);
    assert_int_equal(ask(&filter, 9999, 0), EPERM); /* of the kernel: ENOSYS */
    free(filter.filter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_compiled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
