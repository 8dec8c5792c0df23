/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Serve the requests of the import (load_protocol.h). Its messages are untrusted: an archive may
 * have taken it over. It only gets files that are created for it and files beneath the source; its
 * claims about files are recorded here and verified in load_commit.c, after it has exited.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/io.h"
#include "vmm/base/text.h"
#include "vmm/base/unix_socket.h"
#include "vmm/image/load_private.h"

#define LOOK_INTERVAL 200 /* ms between checks of the time and the disk */

static int send_reply(int channel, const struct load_message *message, int fd, struct error *err)
{
    /* The import waits for the reply, so there is room; if it does not wait, the reply is not
     * needed. */
    ssize_t count =
        unix_socket_send(channel, message, sizeof(*message), &fd, fd >= 0 ? 1 : 0, MSG_DONTWAIT);

    return count < 0 ? error_set_errno(err, (int)-count, "microvm-import") : 0;
}

/* Each returns a descriptor, or a negative errno for the reply. */
static int new_file(struct load *load, struct load_message *message)
{
    char name[16];
    struct load_file *files;
    int fd;

    if (load->count >= LOAD_FILES_MAX)
        return -EMFILE;
    files = reallocarray(load->files, load->count + 1, sizeof(*files));
    if (!files)
        return -ENOMEM;
    load->files = files;
    snprintf(name, sizeof(name), "%zu", load->count);
    fd = openat(load->directory, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0)
        return -errno;
    files[load->count] = (struct load_file){0};
    message->file = (uint32_t)load->count++;
    return fd;
}

static int open_file(const struct load *load, const struct load_message *message)
{
    char name[16];
    int fd;

    if (message->file >= load->count)
        return -ENOENT;
    snprintf(name, sizeof(name), "%u", message->file);
    fd = openat(load->directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int open_member(const struct load *load, const struct load_message *message)
{
    struct open_how how = {
        .flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    AUTO_CLOSE int fd = (int)syscall(SYS_openat2, load->source, message->text, &how, sizeof(how));
    struct stat status;

    if (fd < 0 || fstat(fd, &status) < 0)
        return -errno;
    return S_ISREG(status.st_mode) ? steal_fd(&fd) : -EINVAL;
}

static int find_stored(const struct load *load, struct load_message *message)
{
    AUTO_STORE struct store *store = NULL;

    if (!digest_is_valid(message->config))
        return -EINVAL;
    if (store_open(load->options->store, STORE_READ, &store, NULL) < 0)
        return 0;
    return load_find_stored(store, message->config, message->digest, &message->size);
}

static int reply(struct load *load, int channel, struct load_message *message, struct error *err)
{
    AUTO_CLOSE int fd = -1;

    if (message->call == LOAD_FIND_STORED) {
        message->result = find_stored(load, message);
        return send_reply(channel, message, -1, err);
    }
    if (message->call == LOAD_NEW_FILE)
        fd = new_file(load, message);
    else if (message->call == LOAD_OPEN_FILE)
        fd = open_file(load, message);
    else
        fd = open_member(load, message);
    message->result = fd < 0 ? fd : 0;
    return send_reply(channel, message, fd, err);
}

static int refuse(struct error *err)
{
    return error_set(err, EPROTO, "microvm-import sent an invalid message");
}

static int note_file(struct load *load, const struct load_message *message, struct error *err)
{
    const char *digest = message->call == LOAD_BLOB ? message->digest : message->config;
    struct load_file *file = message->file < load->count ? &load->files[message->file] : NULL;

    if (!file || file->call || !digest_is_valid(digest) ||
        (message->call == LOAD_ROOT && message->part >= LOAD_PARTS))
        return refuse(err);
    file->call = message->call;
    file->part = message->part;
    memcpy(file->digest, digest, DIGEST_SIZE);
    return 0;
}

static int note_image(struct load *load, const struct load_message *message, struct error *err)
{
    struct reference reference;
    struct load_image *image;

    if (!digest_is_valid(message->digest) || !digest_is_valid(message->config) ||
        (message->text[0] && reference_parse_tagged(message->text, &reference, NULL) < 0))
        return refuse(err);
    if (load->image_count >= load->options->limits.images)
        return error_set(err, E2BIG, "holds more than %llu images",
                         (unsigned long long)load->options->limits.images);
    image = reallocarray(load->images, load->image_count + 1, sizeof(*image));
    if (!image)
        return error_set_errno(err, ENOMEM, "import");
    load->images = image;
    image += load->image_count++;
    *image = (struct load_image){.manifest_size = message->size};
    memcpy(image->manifest_digest, message->digest, DIGEST_SIZE);
    memcpy(image->config_digest, message->config, DIGEST_SIZE);
    if (message->text[0])
        reference_format(&reference, image->name, sizeof(image->name));
    return 0;
}

static void note_failure(struct load *load, const struct load_message *message)
{
    char text[ERROR_TEXT_SIZE];
    int code = message->result > 0 && message->result < 4096 ? message->result : EIO;

    text_copy(text, sizeof(text), message->text);
    error_set(&load->failure, code, "%s", text);
}

static int handle(struct load *load, int channel, struct load_message *message, struct error *err)
{
    message->digest[DIGEST_SIZE - 1] = '\0';
    message->config[DIGEST_SIZE - 1] = '\0';
    message->text[sizeof(message->text) - 1] = '\0';
    switch (message->call) {
    case LOAD_NEW_FILE:
    case LOAD_OPEN_FILE:
    case LOAD_OPEN_MEMBER:
    case LOAD_FIND_STORED:
        return reply(load, channel, message, err);
    case LOAD_BLOB:
    case LOAD_ROOT:
        return note_file(load, message, err);
    case LOAD_IMAGE:
        return note_image(load, message, err);
    case LOAD_FAILED:
        note_failure(load, message);
        load->has_ended = true;
        return 0;
    case LOAD_FINISHED:
        if (message->result < 0 || message->result >= LOAD_KINDS)
            return refuse(err);
        load->kind = (enum load_kind)message->result;
        load->has_ended = true;
        return 0;
    default:
        return refuse(err);
    }
}

/* Returns 1 if the import has closed its end. */
static int take_message(struct load *load, int channel, struct error *err)
{
    struct load_message message = {0};
    ssize_t count = recv(channel, &message, sizeof(message), MSG_DONTWAIT | MSG_TRUNC);

    if (count == 0 || (count < 0 && errno == ECONNRESET))
        return 1;
    if (count < 0)
        return errno == EINTR || errno == EAGAIN ? 0 : error_set_errno(err, errno, "import");
    if (count != (ssize_t)sizeof(message)) {
        /* Not one of our messages: the C library writes one before abort(3). */
        char text[128];

        ((char *)&message)[count < 100 ? count : 100] = '\0';
        text_copy_bytes(text, sizeof(text), &message, strcspn((char *)&message, "\n"));
        return error_set(err, EPROTO, "microvm-import wrote '%s'", text);
    }
    return handle(load, channel, &message, err);
}

/* The import also counts, with more precise messages: this check is for an import that was taken
 * over. */
static int check_limits(const struct load *load, struct error *err)
{
    const struct load_limits *limits = &load->options->limits;
    uint64_t bytes = 0;

    if (io_now_ns() >= load->deadline)
        return error_set(err, ETIME,
                         "takes longer than %llu s; allow more by 'microvm image load --max-time'",
                         (unsigned long long)limits->seconds);
    for (size_t i = 0; i < load->count; i++) {
        char name[24];
        struct stat status;

        snprintf(name, sizeof(name), "%zu", i);
        if (fstatat(load->directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0)
            bytes += (uint64_t)status.st_blocks * 512;
    }
    if (bytes > limits->space + (limits->space >> 3))
        return error_set(err, EDQUOT,
                         "takes more than %llu MiB of disk while it is imported; allow more by "
                         "'microvm image load --max-space'",
                         (unsigned long long)(limits->space >> 20));
    return 0;
}

int load_serve(struct load *load, int channel, struct error *err)
{
    /* They are blocked: they stay pending, and are delivered after the import's end. */
    AUTO_CLOSE int signals = signalfd(-1, &load->stops, SFD_CLOEXEC);
    struct pollfd waits[2] = {{.fd = channel, .events = POLLIN}, {.events = POLLIN}};
    uint64_t looked = 0;

    if (signals < 0)
        return error_set_errno(err, errno, "import");
    waits[1].fd = signals;
    while (!load->has_ended) {
        int rc;

        if (poll(waits, 2, LOOK_INTERVAL) < 0 && errno != EINTR)
            return error_set_errno(err, errno, "import");
        if (waits[1].revents)
            return error_set(err, EINTR, "the import was interrupted");
        rc = waits[0].revents ? take_message(load, channel, err) : 0;
        if (rc != 0)
            return rc < 0 ? rc : 0;
        if (io_now_ns() - looked > LOOK_INTERVAL * 1000000ULL) {
            rc = check_limits(load, err);
            if (rc < 0)
                return rc;
            looked = io_now_ns();
        }
    }
    return 0;
}
