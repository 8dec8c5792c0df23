/* SPDX-License-Identifier: Apache-2.0 */
/* The questions of `probe`: title, what they are about, why they are harmless. */
#include "vmm/base/bytes.h"
#include "vmm/probe/probe_judge.h"

#define READS        "It only reads."
#define OPENS        "It is opened and closed again; nothing is written."
#define OPENS_NODE   "The node is made inside, opened and removed; nothing is read or written."
#define UNSHARES     "A child makes it and ends at once, and it with the child."
#define OPENS_SOCKET "It is opened and closed again; nothing is sent."

static const char kernel[] = "The kernel";
static const char around[] = "What is around";
static const char devices[] = "Devices and memory";
static const char machine[] = "The whole machine";
static const char others[] = "Other processes";
static const char spaces[] = "Namespaces and mounts";
static const char known[] = "Interfaces known for their holes";
static const char net[] = "Sockets";

const struct probe_question probe_questions[] = {
    {"release", kernel, "release", PROBE_SEES_KERNEL, NULL, READS},
    {"version", kernel, "version", PROBE_SEES_KERNEL, NULL, READS},
    {"command_line", kernel, "command line", PROBE_SEES_KERNEL, NULL, READS},
    {"boot_id", kernel, "boot id", PROBE_SEES_KERNEL, NULL, READS},
    {"modules", kernel, "modules listed", PROBE_SEES_KERNEL, NULL, READS},
    {"kernel_log", kernel, "read the log", PROBE_ACTS, NULL,
     "It asks for 64 bytes of the log, and takes nothing out of it."},

    {"hostname", around, "host name", PROBE_SEES_SPACE, "ns_uts", READS},
    {"processes", around, "processes visible", PROBE_SEES_SPACE, "ns_pid", READS},
    {"mounts", around, "mounts visible", PROBE_SEES_SPACE, "ns_mnt", READS},
    {"devices", around, "nodes in /dev", PROBE_SEES, "ns_mnt", READS},
    {"disks", around, "disks listed", PROBE_SEES_KERNEL, NULL, READS},
    {"block_classes", around, "disks in /sys", PROBE_SEES_KERNEL, NULL, READS},

    {"kcore", devices, "read /proc/kcore", PROBE_ACTS, NULL, "It reads the header at most."},
    {"mem", devices, "open /dev/mem", PROBE_ACTS, NULL, OPENS_NODE},
    {"kmsg", devices, "open /dev/kmsg", PROBE_ACTS, NULL, OPENS_NODE},
    {"block_device", devices, "open a disk (7:0)", PROBE_ACTS, NULL, OPENS_NODE},
    {"kvm", devices, "open /dev/kvm", PROBE_ACTS, NULL, OPENS_NODE},

    {"clock", machine, "set the clock", PROBE_ACTS, NULL,
     "The change is out of range: refused after the right is checked, before the clock is "
     "touched."},
    {"set_hostname", machine, "set the host name", PROBE_ACTS, "ns_uts",
     "It is set to what it already is."},
    {"module", machine, "load a module", PROBE_ACTS, NULL, "The module is no bytes long."},
    {"reboot", machine, "reboot", PROBE_ACTS, "ns_pid",
     "The two magic numbers are wrong, so that the kernel does nothing."},
    {"sysctl", machine, "change a sysctl", PROBE_ACTS, NULL, OPENS},
    {"sysrq", machine, "trigger SysRq", PROBE_ACTS, NULL, OPENS},
    {"cgroup_write", machine, "change its limits", PROBE_ACTS, NULL, OPENS},

    {"outside", others, "see one of the host", PROBE_OUTSIDE, "ns_pid", READS},
    {"signal", others, "signal one of the host", PROBE_OUTSIDE, "ns_pid",
     "Signal 0 is only a question, and the process is one that microvm started for it."},
    {"ptrace", others, "trace one of the host", PROBE_OUTSIDE, "ns_pid",
     "The process is one that microvm started for it; it is not stopped, and let go at once."},

    {"namespace_user", spaces, "new user namespace", PROBE_ACTS, NULL, UNSHARES},
    {"namespace_mount", spaces, "new mount namespace", PROBE_ACTS, NULL, UNSHARES},
    {"namespace_pid", spaces, "new pid namespace", PROBE_ACTS, NULL, UNSHARES},
    {"namespace_net", spaces, "new net namespace", PROBE_ACTS, NULL, UNSHARES},
    {"namespace_uts", spaces, "new uts namespace", PROBE_ACTS, NULL, UNSHARES},
    {"namespace_ipc", spaces, "new ipc namespace", PROBE_ACTS, NULL, UNSHARES},
    {"namespace_cgroup", spaces, "new cgroup namespace", PROBE_ACTS, NULL, UNSHARES},
    {"namespace_time", spaces, "new time namespace", PROBE_ACTS, NULL, UNSHARES},
    {"setns", spaces, "enter a namespace", PROBE_ACTS, NULL, "It enters the one in which it is."},
    {"mount", spaces, "mount", PROBE_ACTS, "ns_mnt",
     "The kind of file system is one that no kernel has."},
    {"chroot", spaces, "climb out of a chroot", PROBE_ACTS, "ns_mnt",
     "A child changes only its own root; the empty directory for it is removed."},
    {"file_handle", spaces, "open by file handle", PROBE_ACTS, NULL,
     "The handle is of a kind that no file system makes."},

    {"keyctl", known, "keyctl", PROBE_ACTS, NULL, "It asks for the number of its own keyring."},
    {"bpf", known, "bpf", PROBE_ACTS, NULL,
     "It asks for the number of a program, and gets no hold of the program."},
    {"perf", known, "perf_event_open", PROBE_ACTS, NULL,
     "The counter counts nothing and is closed at once."},
    {"userfaultfd", known, "userfaultfd", PROBE_ACTS, NULL, "It is closed at once."},
    {"io_uring", known, "io_uring_setup", PROBE_ACTS, NULL,
     "A ring of one entry is made and closed; nothing is put into it."},

    {"raw_socket", net, "raw IP", PROBE_ACTS, "ns_net", OPENS_SOCKET},
    {"packet_socket", net, "raw Ethernet", PROBE_ACTS, "ns_net", OPENS_SOCKET},
    {"netlink_socket", net, "netlink", PROBE_ACTS, "ns_net", OPENS_SOCKET},
    {"vsock", net, "vsock", PROBE_ACTS, NULL, OPENS_SOCKET},
};

const size_t probe_question_count = ARRAY_LENGTH(probe_questions);
