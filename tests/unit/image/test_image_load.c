/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An import that was taken over can send anything to microvm. In any case the load fails and the
 * store is unchanged, or only holds verified files.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/io.h"
#include "vmm/image/image.h"
#include "vmm/image/import/channel.h"
#include "vmm/image/load_private.h"

#define CONFIG                                                                                     \
    "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{},\"rootfs\":{\"type\":\"layers\","  \
    "\"diff_ids\":[]}}"

struct fixture {
    char directory[64];
    char store[80];
    char source[96]; /* a directory with the file "inside" and ways out */
};

static struct fixture fixture;
static void (*lie)(int channel);

/* Without the sanitizer's leak check: the hostile import is a process, same as the real one. */
static int start(const struct load *load, int channel, pid_t *pid, struct error *err)
{
    (void)load;
    (void)err;
    *pid = fork();
    assert_true(*pid >= 0);
    if (*pid == 0) {
        alarm(20);
        lie(channel);
        _exit(0);
    }
    return 0;
}

static int load_lies(void (*what)(int channel), struct error *err)
{
    AUTO_STRING_LIST struct string_list ids = {0};
    struct load_options options = {
        .store = fixture.store, .path = fixture.source, .limits = LOAD_LIMITS_DEFAULT};

    lie = what;
    options.limits.space = 1 << 20;
    options.limits.images = 3;
    return load_run(&options, start, &ids, NULL, err);
}

static int files;

static int count_file(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)path;
    (void)status;
    (void)walk;
    files += type == FTW_F;
    return 0;
}

static void assert_lie_fails(void (*what)(int channel), int code, const char *message)
{
    struct error err = ERROR_INIT;

    assert_int_equal(load_lies(what, &err), -code);
    if (!strstr(err.text, message))
        fail_msg("no '%s' in: %s", message, err.text);
    files = 0;
    assert_int_equal(nftw(fixture.store, count_file, 8, FTW_PHYS), 0);
    assert_int_equal(files, 2); /* oci-layout and lock */
}

static void tell(int channel, uint32_t call, uint32_t file, uint32_t part, const char *digest,
                 const char *config, const char *text, uint64_t size)
{
    struct load_message message = {.call = call, .file = file, .part = part, .size = size};

    snprintf(message.digest, sizeof(message.digest), "%s", digest);
    snprintf(message.config, sizeof(message.config), "%s", config);
    snprintf(message.text, sizeof(message.text), "%s", text);
    channel_send(channel, &message, NULL);
}

static uint32_t make_file(int channel, const char *text)
{
    struct load_message message = {.call = LOAD_NEW_FILE};
    int fd = -1;

    if (channel_call(channel, &message, &fd, NULL) < 0 || io_write_all(fd, text, strlen(text)) < 0)
        _exit(3);
    close(fd);
    return message.file;
}

static const char zeros[] =
    "sha256:0000000000000000000000000000000000000000000000000000000000000000";

/* A complete image; `blob` and `root` are the contents of its config and its root. */
static void say_image(int channel, const char *blob, const char *root, const char *name)
{
    char manifest[512];
    char config[DIGEST_SIZE];
    char digest[DIGEST_SIZE];

    digest_of(CONFIG, strlen(CONFIG), config);
    snprintf(manifest, sizeof(manifest),
             "{\"schemaVersion\":2,\"config\":{\"digest\":\"%s\",\"size\":%zu},\"layers\":[]}",
             config, strlen(CONFIG));
    digest_of(manifest, strlen(manifest), digest);
    tell(channel, LOAD_BLOB, make_file(channel, manifest), 0, digest, "", "", 0);
    tell(channel, LOAD_BLOB, make_file(channel, blob), 0, config, "", "", 0);
    tell(channel, LOAD_ROOT, make_file(channel, root), LOAD_SQUASHFS, "", config, "", 0);
    tell(channel, LOAD_IMAGE, 0, 0, digest, config, name, strlen(manifest));
    tell(channel, LOAD_FINISHED, 0, 0, "", "", "", 0);
}

static void say_truth(int channel)
{
    say_image(channel, CONFIG, "the root", "a:1");
}

static void say_truth_with_another_root(int channel)
{
    say_image(channel, CONFIG, "evil root", "a:2");
}

static void say_false_digest(int channel)
{
    say_image(channel, "{}", "the root", "a:1");
}

static void say_bad_name(int channel)
{
    say_image(channel, CONFIG, "the root", "../../etc");
}

static void say_path(int channel)
{
    tell(channel, LOAD_BLOB, make_file(channel, "x"), 0, "sha256:../../../../etc/passwd", "", "",
         0);
    pause();
}

static void say_foreign_file(int channel)
{
    tell(channel, LOAD_BLOB, 7, 0, zeros, "", "", 0);
    pause();
}

static void say_file_twice(int channel)
{
    uint32_t file = make_file(channel, "x");

    tell(channel, LOAD_BLOB, file, 0, zeros, "", "", 0);
    tell(channel, LOAD_ROOT, file, LOAD_SQUASHFS, "", zeros, "", 0);
    pause();
}

static void say_wrong_part(int channel)
{
    tell(channel, LOAD_ROOT, make_file(channel, "x"), 77, "", zeros, "", 0);
    pause();
}

static void say_unstored_image(int channel)
{
    tell(channel, LOAD_IMAGE, 0, 0, zeros, zeros, "a:1", 5);
    tell(channel, LOAD_FINISHED, 0, 0, "", "", "", 0);
}

static void say_many_images(int channel)
{
    for (int i = 0; i < 4; i++)
        tell(channel, LOAD_IMAGE, 0, 0, zeros, zeros, "a:1", 5);
    pause();
}

static void say_unknown_call(int channel)
{
    tell(channel, 99, 0, 0, "", "", "", 0);
    pause();
}

static void say_text(int channel)
{
    assert_int_equal(write(channel, "free(): \033[31minvalid pointer\n", 30), 30);
    abort();
}

static void say_nothing(int channel)
{
    (void)channel;
}

static void die(int channel)
{
    (void)channel;
    kill(getpid(), SIGKILL);
}

static void say_failure(int channel)
{
    struct load_message message = {.call = LOAD_FAILED, .result = ENOSPC};

    snprintf(message.text, sizeof(message.text), "no \033]0;room");
    channel_send(channel, &message, NULL);
    pause();
}

static void fill_disk(int channel)
{
    static const char block[65536] = {1};
    struct load_message message = {.call = LOAD_NEW_FILE};
    int fd = -1;

    channel_call(channel, &message, &fd, NULL);
    for (int i = 0; i < 64; i++)
        io_write_all(fd, block, sizeof(block));
    fsync(fd);
    pause();
}

/* It sends without waiting for replies, and never reads one. */
static void flood(int channel)
{
    struct load_message message = {.call = LOAD_NEW_FILE};

    while (channel_send(channel, &message, NULL) == 0)
        ;
}

static void test_lies(void **state)
{
    (void)state;
    assert_lie_fails(say_false_digest, EBADMSG, "was imported with the digest");
    assert_lie_fails(say_bad_name, EPROTO, "invalid message");
    assert_lie_fails(say_path, EPROTO, "invalid message");
    assert_lie_fails(say_foreign_file, EPROTO, "invalid message");
    assert_lie_fails(say_file_twice, EPROTO, "invalid message");
    assert_lie_fails(say_wrong_part, EPROTO, "invalid message");
    assert_lie_fails(say_unknown_call, EPROTO, "invalid message");
    assert_lie_fails(say_unstored_image, EAGAIN, "was removed meanwhile");
    assert_lie_fails(say_many_images, E2BIG, "more than 3 images");
    assert_lie_fails(say_text, EPROTO, "wrote 'free(): ?[31minvalid pointer'");
    assert_lie_fails(say_nothing, ECHILD, "without a result");
    assert_lie_fails(die, ECHILD, "signal 9");
    assert_lie_fails(say_failure, ENOSPC, "no ?]0;room");
    assert_lie_fails(fill_disk, EDQUOT, "--max-space");
    assert_lie_fails(flood, EAGAIN, "microvm-import");
}

/* A root that the store has is not replaced; its image may get another name. */
static void test_stored_root(void **state)
{
    AUTO_STORE struct store *store = NULL;
    AUTO_IMAGE struct image *image = NULL;
    struct error err = ERROR_INIT;
    char text[16] = "";

    (void)state;
    assert_int_equal(load_lies(say_truth, &err), 0);
    assert_int_equal(load_lies(say_truth_with_another_root, &err), 0);
    assert_int_equal(store_open(fixture.store, STORE_READ, &store, NULL), 0);
    assert_int_equal(image_open(store, "a:2", &image, NULL), 0);
    assert_int_equal(pread(image->root_fd, text, sizeof(text), 0), 8);
    assert_string_equal(text, "the root");
}

static int ask_member(int channel, const char *path)
{
    struct load_message message = {.call = LOAD_OPEN_MEMBER};
    int fd = -1;
    int rc;

    snprintf(message.text, sizeof(message.text), "%s", path);
    rc = channel_call(channel, &message, &fd, NULL);
    cleanup_close(&fd);
    return rc;
}

/* The replies come back in a failure message, which the test reads. */
static void ask_for_files(int channel)
{
    static const char *const paths[] = {"/etc/passwd", "../secret", "out",  "absolute",
                                        "fifo",        ".",         "none", "inside/../../secret"};
    struct load_message message = {.call = LOAD_OPEN_FILE, .file = 7};
    struct load_message end = {.call = LOAD_FAILED, .result = EPROTO, .text = "none of these"};
    int fd = -1;

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        if (ask_member(channel, paths[i]) >= 0)
            snprintf(end.text, sizeof(end.text), "opened %s", paths[i]);
    }
    if (channel_call(channel, &message, &fd, NULL) >= 0)
        snprintf(end.text, sizeof(end.text), "opened file 7");
    if (ask_member(channel, "inside") < 0)
        snprintf(end.text, sizeof(end.text), "cannot open what is inside");
    channel_send(channel, &end, NULL);
}

static void test_files(void **state)
{
    (void)state;
    assert_lie_fails(ask_for_files, EPROTO, "none of these");
}

/* An interrupted import leaves nothing behind, and the signal is delivered. */
static void interrupt_parent(int channel)
{
    (void)channel;
    kill(getppid(), SIGTERM);
    pause();
}

static void test_interrupted(void **state)
{
    pid_t child;
    int status;

    (void)state;
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        load_lies(interrupt_parent, NULL);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    files = 0;
    assert_int_equal(nftw(fixture.store, count_file, 8, FTW_PHYS), 0);
    assert_int_equal(files, 2);
}

static int remove_item(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

static void write_file(const char *name)
{
    char path[128];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", fixture.directory, name);
    fd = open(path, O_WRONLY | O_CREAT, 0644);
    assert_true(fd >= 0);
    close(fd);
}

static void make_link(const char *target, const char *name)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", fixture.source, name);
    assert_int_equal(symlink(target, path), 0);
}

static int set_up(void **state)
{
    char path[128];

    (void)state;
    strcpy(fixture.directory, "/tmp/test-load.XXXXXX");
    assert_non_null(mkdtemp(fixture.directory));
    snprintf(fixture.store, sizeof(fixture.store), "%s/store", fixture.directory);
    snprintf(fixture.source, sizeof(fixture.source), "%s/source", fixture.directory);
    assert_int_equal(mkdir(fixture.source, 0755), 0);
    write_file("secret");
    write_file("source/inside");
    make_link("../secret", "out");
    make_link("/etc/passwd", "absolute");
    snprintf(path, sizeof(path), "%s/fifo", fixture.source);
    assert_int_equal(mkfifo(path, 0644), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return nftw(fixture.directory, remove_item, 8, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_lies, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stored_root, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_interrupted, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
