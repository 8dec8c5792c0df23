/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which layer stopped it; see probe_verdict.h.
 *
 * A refusal is attributed to the first layer, in the order in which the kernel consults them, for
 * which there is evidence: the filter, the capability, the mount, the device list. For what was not
 * refused, the verdict is what it concerns: a kernel or a namespace of its own, or the host.
 */
#include "vmm/probe/probe_verdict.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "vmm/base/syscall_name.h"
#include "vmm/base/text.h"
#include "vmm/probe/probe_results.h"

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

/* Text from inside is untrusted data: it is made safe to show here. */
__attribute__((format(printf, 3, 4))) static void
conclude(struct probe_cell *cell, enum probe_layer layer, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    text_vformat(cell->evidence, sizeof(cell->evidence), format, arguments);
    va_end(arguments);
    cell->layer = layer;
}

bool probe_has_own_kernel(const json_t *results, const json_t *host)
{
    static const char *const marks[] = {"boot_id", "version"};

    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        const char *inside = probe_result_text(json_object_get(results, marks[i]), "text");
        const char *outside = probe_result_text(host, marks[i]);

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
    const char *boot_id = probe_result_text(json_object_get(view->results, "boot_id"), "text");
    const char *release = probe_result_text(json_object_get(view->results, "release"), "text");
    const char *beneath = view->sandbox->beneath;

    conclude(cell, probe_own_kernel_layer(view->sandbox),
             "its own kernel handled it (%.60s, boot id %.40s), not the host's; beneath it is %s",
             release ? release : "unknown release", boot_id ? boot_id : "unknown",
             beneath ? beneath : "the host");
}

/* Whether it is in a namespace of its own of the kind that the check is about. */
static bool in_own_space(const struct probe_check *check, const struct probe_view *view)
{
    const json_t *self = json_object_get(view->results, "self");
    const char *inside = probe_result_text(self, check->space);
    const char *outside = probe_result_text(view->host, check->space);

    return inside && outside && strcmp(inside, outside) != 0;
}

static void conclude_own_space(const struct probe_check *check, const struct probe_view *view,
                               struct probe_cell *cell)
{
    const json_t *self = json_object_get(view->results, "self");
    const char *truth = probe_result_text(view->host, check->name);

    conclude(cell, PROBE_NAMESPACE, "in %.60s; the host is in %.60s%s%.100s",
             probe_result_text(self, check->space), probe_result_text(view->host, check->space),
             truth ? ", with the value " : "", truth ? truth : "");
}

/* What was not refused: what it concerns. */
static void explain_granted(const struct probe_check *check, const struct probe_view *view,
                            const char *text, struct probe_cell *cell)
{
    const char *truth = probe_result_text(view->host, check->name);

    if (view->own_kernel)
        conclude_own_kernel(view, cell);
    else if (check->kind == PROBE_ACTS && truth && text && strcmp(truth, text) == 0)
        conclude(cell, PROBE_NOTHING, "it reached the host's own: %.100s", truth);
    else if (in_own_space(check, view))
        conclude_own_space(check, view, cell);
    else if (check->kind == PROBE_SEES)
        conclude(cell, PROBE_NAMESPACE, "these files are the sandbox's own");
    else if (truth && text && strcmp(truth, text) != 0)
        conclude(cell, PROBE_UNKNOWN, "the host has another value: %.200s", truth);
    else if (truth && text)
        conclude(cell, PROBE_NOTHING, "the same as on the host");
    else
        conclude(cell, PROBE_NOTHING, "the host's kernel executed it");
}

static bool explain_filter(const json_t *result, struct probe_cell *cell)
{
    const char *filter = probe_result_text(result, "filter");
    long long call = probe_result_number(result, "call");
    const char *name = call >= 0 && call < PROBE_CALLS_MAX ? syscall_name((unsigned)call) : NULL;

    if (!filter || is(filter, "allows"))
        return false;
    if (is(filter, "kills"))
        conclude(cell, PROBE_SECCOMP, "the filter kills the caller of %s", name ? name : "it");
    else
        conclude(cell, PROBE_SECCOMP,
                 "the filter refuses %s with %.40s; the kernel does not execute it",
                 name ? name : "the call", filter);
    return true;
}

static bool is_permission_missing(const char *error)
{
    return is(error, "EPERM") || is(error, "EACCES");
}

/* A node could be made, but not opened. */
static bool explain_device(const json_t *result, const char *error, struct probe_cell *cell)
{
    const char *options = probe_result_text(result, "mount_options");

    if (!is(probe_result_text(result, "text"), "open") || !is_permission_missing(error))
        return false;
    if (options && strstr(options, "nodev"))
        conclude(cell, PROBE_MOUNT,
                 "mknod succeeded; %.80s is mounted nodev, so the node cannot be opened",
                 probe_result_text(result, "mount_point"));
    else
        conclude(cell, PROBE_CGROUP,
                 "mknod succeeded, and the mount allows devices; opening failed with %s: the "
                 "device is not in the cgroup's list",
                 error);
    return true;
}

static bool explain_capability(const json_t *result, const json_t *self, const char *error,
                               struct probe_cell *cell)
{
    const char *capability = probe_result_text(result, "capability");
    const char *held = probe_result_text(self, "capabilities");

    if (!capability || !is_permission_missing(error))
        return false;
    if (!probe_result_truth(result, "held"))
        conclude(cell, PROBE_CAPABILITY, "%.40s is not in CapEff %.20s", capability,
                 held ? held : "");
    else if (probe_result_truth(self, "user_namespace"))
        conclude(cell, PROBE_NAMESPACE, "%.40s is held, but only in its own user namespace",
                 capability);
    else
        return false;
    return true;
}

/* The path: its owner, how it is mounted, what is mounted over it. */
static bool explain_mount(const json_t *result, const json_t *self, const char *error,
                          struct probe_cell *cell)
{
    const char *path = probe_result_text(result, "path");
    const char *point = probe_result_text(result, "mount_point");
    const char *type = probe_result_text(result, "mount_type");
    const char *options = probe_result_text(result, "mount_options");

    if (!path || !point || !type || !options)
        return false;
    if (is(error, "EACCES") && probe_result_truth(self, "user_namespace") &&
        probe_result_number(self, "uid") == 0) {
        conclude(cell, PROBE_NAMESPACE,
                 "it is root only inside: the file's owner is not in its user namespace");
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

static bool explain_absent(const struct probe_view *view, const char *error,
                           struct probe_cell *cell)
{
    static const char *const absent[] = {"ENOSYS",          "ENOENT",       "ENXIO",
                                         "ENODEV",          "EAFNOSUPPORT", "EPROTONOSUPPORT",
                                         "ESOCKTNOSUPPORT", "EOPNOTSUPP"};

    for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
        if (is(error, absent[i])) {
            conclude(cell, PROBE_KERNEL, "%s: %s kernel does not implement it", error,
                     view->own_kernel ? "its own" : "the host's");
            return true;
        }
    }
    return false;
}

static void explain_refused(const struct probe_check *check, const struct probe_view *view,
                            const json_t *result, struct probe_cell *cell)
{
    const json_t *self = json_object_get(view->results, "self");
    const char *error = probe_result_text(result, "error");

    if (explain_filter(result, cell))
        return;
    if (check->kind == PROBE_OUTSIDE && (is(error, "ESRCH") || is(error, "ENOENT"))) {
        if (view->own_kernel)
            conclude_own_kernel(view, cell);
        else if (in_own_space(check, view))
            conclude_own_space(check, view, cell);
        return;
    }
    if (explain_device(result, error, cell) || explain_capability(result, self, error, cell) ||
        explain_mount(result, self, error, cell) || explain_absent(view, error, cell))
        return;
    conclude(cell, PROBE_UNKNOWN, "there is no evidence for a layer");
}

void probe_verdict(const struct probe_check *check, const struct probe_view *view,
                   struct probe_cell *cell)
{
    const json_t *result = json_object_get(view->results, check->name);
    const char *outcome = probe_result_text(result, "outcome");
    const char *text = probe_result_text(result, "text");
    const char *error = probe_result_text(result, "error");

    *cell = (struct probe_cell){0};
    if (is(outcome, "seen") && text) {
        text_copy(cell->result, sizeof(cell->result), text);
        explain_granted(check, view, text, cell);
    } else if (is(outcome, "allowed")) {
        snprintf(cell->result, sizeof(cell->result), "allowed");
        explain_granted(check, view, text, cell);
    } else if (is(outcome, "empty")) {
        snprintf(cell->result, sizeof(cell->result), "empty");
        if (!explain_mount(result, json_object_get(view->results, "self"), error, cell))
            explain_granted(check, view, NULL, cell);
    } else if (is(outcome, "refused")) {
        text_copy(cell->result, sizeof(cell->result), error ? error : text ? text : "?");
        explain_refused(check, view, result, cell);
    } else {
        snprintf(cell->result, sizeof(cell->result), "not tested");
        conclude(cell, PROBE_UNKNOWN, "%.200s", text ? text : "no result");
    }
}
