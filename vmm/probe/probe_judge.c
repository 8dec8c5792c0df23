/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which layer stopped it; see probe_judge.h.
 *
 * What was refused is laid at the door of the first layer, in the order in which the kernel asks
 * them, that is shown to refuse it: the filter, the right, the mount, the device list. What was not
 * refused is looked at for whom it concerns: a kernel or a namespace of its own, or the host.
 */
#include "vmm/probe/probe_judge.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "vmm/base/printable.h"
#include "vmm/base/syscall_name.h"
#include "vmm/probe/probe_answers.h"

static const char *const layer_names[PROBE_LAYERS] = {
    [PROBE_UNKNOWN] = "unknown",       [PROBE_NOTHING] = "nothing",
    [PROBE_NAMESPACE] = "namespace",   [PROBE_CGROUP] = "cgroup",
    [PROBE_CAPABILITY] = "capability", [PROBE_SECCOMP] = "seccomp",
    [PROBE_MOUNT] = "mount",           [PROBE_KERNEL] = "not in this kernel",
    [PROBE_HYPERVISOR] = "hypervisor", [PROBE_OWN_KERNEL] = "kernel of its own",
};

const char *probe_layer_name(enum probe_layer layer)
{
    return layer_names[layer];
}

static bool is(const char *text, const char *other)
{
    return text && other && strcmp(text, other) == 0;
}

/* The text may hold anything that came from inside: made printable here. */
__attribute__((format(printf, 3, 4))) static void
conclude(struct probe_cell *cell, enum probe_layer layer, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    printable_vformat(cell->evidence, sizeof(cell->evidence), format, arguments);
    va_end(arguments);
    cell->layer = layer;
}

bool probe_has_own_kernel(const json_t *answers, const json_t *host)
{
    static const char *const marks[] = {"boot_id", "version"};

    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        const char *inside = probe_answer_text(json_object_get(answers, marks[i]), "text");
        const char *outside = probe_answer_text(host, marks[i]);

        if (inside && outside)
            return strcmp(inside, outside) != 0;
    }
    return false;
}

enum probe_layer probe_own_kernel_layer(const struct sandbox *sandbox)
{
    return sandbox->traits & SANDBOX_HYPERVISOR ? PROBE_HYPERVISOR : PROBE_OWN_KERNEL;
}

static void conclude_own_kernel(const struct probe_view *view, struct probe_cell *cell)
{
    const char *boot_id = probe_answer_text(json_object_get(view->answers, "boot_id"), "text");
    const char *release = probe_answer_text(json_object_get(view->answers, "release"), "text");
    const char *beneath = view->sandbox->beneath;

    conclude(
        cell, probe_own_kernel_layer(view->sandbox),
        "a kernel of its own answered (%.60s, boot id %.40s), not the host's; beneath it is %s",
        release ? release : "unknown release", boot_id ? boot_id : "unknown",
        beneath ? beneath : "the host");
}

/* Whether it is in a namespace of its own of the kind that the question is about. */
static bool in_own_space(const struct probe_question *question, const struct probe_view *view)
{
    const json_t *self = json_object_get(view->answers, "self");
    const char *inside = question->space ? probe_answer_text(self, question->space) : NULL;
    const char *outside = question->space ? probe_answer_text(view->host, question->space) : NULL;

    return inside && outside && strcmp(inside, outside) != 0;
}

static void conclude_own_space(const struct probe_question *question, const struct probe_view *view,
                               struct probe_cell *cell)
{
    const json_t *self = json_object_get(view->answers, "self");
    const char *truth = probe_answer_text(view->host, question->name);

    conclude(cell, PROBE_NAMESPACE, "in %.60s; the host is in %.60s%s%.100s",
             probe_answer_text(self, question->space),
             probe_answer_text(view->host, question->space), truth ? ", and says " : "",
             truth ? truth : "");
}

/* What was not refused: whom did it concern? */
static void judge_granted(const struct probe_question *question, const struct probe_view *view,
                          const char *text, struct probe_cell *cell)
{
    const char *truth = probe_answer_text(view->host, question->name);

    if (view->own_kernel)
        conclude_own_kernel(view, cell);
    else if (question->kind == PROBE_ACTS && truth && text && strcmp(truth, text) == 0)
        conclude(cell, PROBE_NOTHING, "it ended where the host's own is: %.100s", truth);
    else if (in_own_space(question, view))
        conclude_own_space(question, view, cell);
    else if (question->kind == PROBE_SEES)
        conclude(cell, PROBE_NAMESPACE, "what it finds there was put there for it");
    else if (truth && text && strcmp(truth, text) != 0)
        conclude(cell, PROBE_UNKNOWN, "the host says otherwise: %.200s", truth);
    else if (truth && text)
        conclude(cell, PROBE_NOTHING, "the same as on the host");
    else
        conclude(cell, PROBE_NOTHING, "the host's own kernel did it");
}

static bool judge_filter(const json_t *answer, struct probe_cell *cell)
{
    const char *filter = probe_answer_text(answer, "filter");
    long long call = probe_answer_number(answer, "call");
    const char *name = call >= 0 && call < PROBE_CALLS_MAX ? syscall_name((unsigned)call) : NULL;

    if (!filter || is(filter, "lets"))
        return false;
    if (is(filter, "kills"))
        conclude(cell, PROBE_SECCOMP, "the filter kills whoever calls %s", name ? name : "it");
    else
        conclude(cell, PROBE_SECCOMP, "the filter answers %s with %.40s; the kernel never sees it",
                 name ? name : "the call", filter);
    return true;
}

static bool is_right_missing(const char *error)
{
    return is(error, "EPERM") || is(error, "EACCES");
}

/* A node could be made and not opened. */
static bool judge_device(const json_t *answer, const char *error, struct probe_cell *cell)
{
    const char *options = probe_answer_text(answer, "mount_options");

    if (!is(probe_answer_text(answer, "text"), "open") || !is_right_missing(error))
        return false;
    if (options && strstr(options, "nodev"))
        conclude(cell, PROBE_MOUNT, "mknod was let; %.80s is mounted nodev, so it cannot be opened",
                 probe_answer_text(answer, "mount_point"));
    else
        conclude(cell, PROBE_CGROUP,
                 "mknod was let, and its mount allows devices; opening it got %s: the device is "
                 "not in the control group's list",
                 error);
    return true;
}

static bool judge_capability(const json_t *answer, const json_t *self, const char *error,
                             struct probe_cell *cell)
{
    const char *capability = probe_answer_text(answer, "capability");
    const char *held = probe_answer_text(self, "capabilities");

    if (!capability || !is_right_missing(error))
        return false;
    if (!probe_answer_truth(answer, "held"))
        conclude(cell, PROBE_CAPABILITY, "%.40s is not in CapEff %.20s", capability,
                 held ? held : "");
    else if (probe_answer_truth(self, "user_namespace"))
        conclude(cell, PROBE_NAMESPACE, "%.40s is held, but only in its own user namespace",
                 capability);
    else
        return false;
    return true;
}

/* The path: whose it is, how it is mounted, what lies over it. */
static bool judge_mount(const json_t *answer, const json_t *self, const char *error,
                        struct probe_cell *cell)
{
    const char *path = probe_answer_text(answer, "path");
    const char *point = probe_answer_text(answer, "mount_point");
    const char *type = probe_answer_text(answer, "mount_type");
    const char *options = probe_answer_text(answer, "mount_options");

    if (!path || !point || !type || !options)
        return false;
    if (is(error, "EACCES") && probe_answer_truth(self, "user_namespace") &&
        probe_answer_number(self, "uid") == 0) {
        conclude(cell, PROBE_NAMESPACE,
                 "it is root in here only: the file's owner is not in its user namespace");
        return true;
    }
    if (is(error, "EROFS")) {
        conclude(cell, PROBE_MOUNT, "%.80s is mounted %.20s", point, options);
        return true;
    }
    if (is(path, point)) {
        conclude(cell, PROBE_MOUNT, "something else (%.20s) is mounted over %.80s", type, point);
        return true;
    }
    return false;
}

static bool judge_absent(const struct probe_view *view, const char *error, struct probe_cell *cell)
{
    static const char *const absent[] = {"ENOSYS",          "ENOENT",       "ENXIO",
                                         "ENODEV",          "EAFNOSUPPORT", "EPROTONOSUPPORT",
                                         "ESOCKTNOSUPPORT", "EOPNOTSUPP"};

    for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
        if (is(error, absent[i])) {
            conclude(cell, PROBE_KERNEL, "%s: %s kernel has no such thing", error,
                     view->own_kernel ? "its own" : "the host's");
            return true;
        }
    }
    return false;
}

static void judge_refused(const struct probe_question *question, const struct probe_view *view,
                          const json_t *answer, struct probe_cell *cell)
{
    const json_t *self = json_object_get(view->answers, "self");
    const char *error = probe_answer_text(answer, "error");

    if (judge_filter(answer, cell))
        return;
    if (question->kind == PROBE_OUTSIDE && (is(error, "ESRCH") || is(error, "ENOENT"))) {
        if (view->own_kernel)
            conclude_own_kernel(view, cell);
        else if (in_own_space(question, view))
            conclude_own_space(question, view, cell);
        return;
    }
    if (judge_device(answer, error, cell) || judge_capability(answer, self, error, cell) ||
        judge_mount(answer, self, error, cell) || judge_absent(view, error, cell))
        return;
    conclude(cell, PROBE_UNKNOWN, "no layer can be shown to have refused it");
}

void probe_judge(const struct probe_question *question, const struct probe_view *view,
                 struct probe_cell *cell)
{
    const json_t *answer = json_object_get(view->answers, question->name);
    const char *outcome = probe_answer_text(answer, "outcome");
    const char *text = probe_answer_text(answer, "text");
    const char *error = probe_answer_text(answer, "error");

    *cell = (struct probe_cell){0};
    if (is(outcome, "answered") && text) {
        printable_copy(cell->answer, sizeof(cell->answer), text);
        judge_granted(question, view, text, cell);
    } else if (is(outcome, "allowed")) {
        snprintf(cell->answer, sizeof(cell->answer), "allowed");
        judge_granted(question, view, text, cell);
    } else if (is(outcome, "empty")) {
        snprintf(cell->answer, sizeof(cell->answer), "nothing in it");
        if (!judge_mount(answer, json_object_get(view->answers, "self"), error, cell))
            judge_granted(question, view, NULL, cell);
    } else if (is(outcome, "refused")) {
        printable_copy(cell->answer, sizeof(cell->answer), error ? error : text ? text : "?");
        judge_refused(question, view, answer, cell);
    } else {
        snprintf(cell->answer, sizeof(cell->answer), "could not be asked");
        conclude(cell, PROBE_UNKNOWN, "%.200s", text ? text : "there was no answer");
    }
}
