/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checks of `microvm probe`, in one table for the program inside (check_see.c, check_do.c), for
 * the verdict on the host (vmm/probe/) and for the page docs/guide/probe.md (`make docs-tables`).
 *
 * X(NAME, GROUP, TITLE, KIND, NAMESPACE, TRIES, SIDE_EFFECTS)
 *
 * NAME is the function check_NAME() inside and the name in JSON; TITLE is at most 24 letters; KIND
 * is what the result concerns, as enum probe_kind (vmm/probe/probe_verdict.h) without its prefix;
 * NAMESPACE is the link of /proc/self/ns in question, "" = none; TRIES is what is done;
 * SIDE_EFFECTS is why it changes nothing.
 */
#ifndef MICROVM_GUEST_PROBES_CHECKS_H
#define MICROVM_GUEST_PROBES_CHECKS_H

#define CHECKS_KERNEL     "The kernel"
#define CHECKS_AROUND     "What is visible"
#define CHECKS_DEVICES    "Devices and memory"
#define CHECKS_SYSTEM     "The whole system"
#define CHECKS_PROCESSES  "Other processes"
#define CHECKS_NAMESPACES "Namespaces and mounts"
#define CHECKS_INTERFACES "Interfaces with past vulnerabilities"
#define CHECKS_SOCKETS    "Sockets"

#define CHECKS_READS  "none: it only reads"
#define CHECKS_OPENS  "none: it is opened and closed again, and nothing is written"
#define CHECKS_NODE   "none: the node is removed again, and nothing is read or written"
#define CHECKS_SHORT  "none: it ends at once, with the process that made it"
#define CHECKS_SOCKET "none: it is closed again, and nothing is sent"

/* clang-format off */
#define CHECKS(X)                                                                                  \
    X(release, CHECKS_KERNEL, "release", SEES_KERNEL, "",                                          \
      "uname(2), release", CHECKS_READS)                                                           \
    X(version, CHECKS_KERNEL, "version", SEES_KERNEL, "",                                          \
      "uname(2), version", CHECKS_READS)                                                           \
    X(command_line, CHECKS_KERNEL, "command line", SEES_KERNEL, "",                                \
      "read /proc/cmdline", CHECKS_READS)                                                          \
    X(boot_id, CHECKS_KERNEL, "boot id", SEES_KERNEL, "",                                          \
      "read /proc/sys/kernel/random/boot_id", CHECKS_READS)                                        \
    X(modules, CHECKS_KERNEL, "modules listed", SEES_KERNEL, "",                                   \
      "count the lines of /proc/modules", CHECKS_READS)                                            \
    X(kernel_log, CHECKS_KERNEL, "read the log", ACTS, "",                                         \
      "syslog(2), SYSLOG_ACTION_READ_ALL of 64 bytes",                                             \
      "none: reading removes nothing from the log")                                                \
    X(hostname, CHECKS_AROUND, "host name", SEES_SPACE, "ns_uts",                                  \
      "uname(2), nodename", CHECKS_READS)                                                          \
    X(processes, CHECKS_AROUND, "processes visible", SEES_SPACE, "ns_pid",                         \
      "count the numbers in /proc", CHECKS_READS)                                                  \
    X(mounts, CHECKS_AROUND, "mounts visible", SEES_SPACE, "ns_mnt",                               \
      "count the lines of /proc/self/mountinfo", CHECKS_READS)                                     \
    X(devices, CHECKS_AROUND, "nodes in /dev", SEES, "ns_mnt",                                     \
      "list the device nodes of /dev", CHECKS_READS)                                               \
    X(disks, CHECKS_AROUND, "disks listed", SEES_KERNEL, "",                                       \
      "read /proc/partitions", CHECKS_READS)                                                       \
    X(block_classes, CHECKS_AROUND, "disks in /sys", SEES_KERNEL, "",                              \
      "count the entries of /sys/class/block", CHECKS_READS)                                       \
    X(kcore, CHECKS_DEVICES, "read /proc/kcore", ACTS, "",                                         \
      "read the beginning of /proc/kcore", "none: it reads the header at most")                    \
    X(mem, CHECKS_DEVICES, "open /dev/mem", ACTS, "",                                              \
      "mknod(2) of character device 1:1, open it", CHECKS_NODE)                                    \
    X(kmsg, CHECKS_DEVICES, "open /dev/kmsg", ACTS, "",                                            \
      "mknod(2) of character device 1:11, open it", CHECKS_NODE)                                   \
    X(block_device, CHECKS_DEVICES, "open a disk (7:0)", ACTS, "",                                 \
      "mknod(2) of block device 7:0, open it", CHECKS_NODE)                                        \
    X(kvm, CHECKS_DEVICES, "open /dev/kvm", ACTS, "",                                              \
      "mknod(2) of character device 10:232, open it", CHECKS_NODE)                                 \
    X(clock, CHECKS_SYSTEM, "set the clock", ACTS, "",                                             \
      "adjtimex(2) with a tick of 0",                                                              \
      "none: the value is out of range, which is checked after the capability")        \
    X(set_hostname, CHECKS_SYSTEM, "set the host name", ACTS, "ns_uts",                            \
      "sethostname(2)", "none: it is set to its present value")                                   \
    X(module, CHECKS_SYSTEM, "load a module", ACTS, "",                                            \
      "init_module(2) of an empty module", "none: an empty module is refused")                         \
    X(reboot, CHECKS_SYSTEM, "reboot", ACTS, "ns_pid",                                             \
      "reboot(2) with wrong magic numbers", "none: the kernel refuses wrong magic numbers")        \
    X(sysctl, CHECKS_SYSTEM, "change a sysctl", ACTS, "",                                          \
      "open /proc/sys/kernel/panic for writing", CHECKS_OPENS)                                     \
    X(sysrq, CHECKS_SYSTEM, "trigger SysRq", ACTS, "",                                             \
      "open /proc/sysrq-trigger for writing", CHECKS_OPENS)                                        \
    X(cgroup_write, CHECKS_SYSTEM, "change cgroup limits", ACTS, "",                                  \
      "open its cgroup.procs for writing", CHECKS_OPENS)                                           \
    X(outside, CHECKS_PROCESSES, "see a host process", OUTSIDE, "ns_pid",                         \
      "read /proc/PID/comm of a process of the host", CHECKS_READS)                                \
    X(signal, CHECKS_PROCESSES, "signal a host process", OUTSIDE, "ns_pid",                       \
      "kill(2) of it with signal 0",                                                               \
      "none: signal 0 is not delivered, and microvm started the process for this")                 \
    X(ptrace, CHECKS_PROCESSES, "trace a host process", OUTSIDE, "ns_pid",                        \
      "ptrace(2), PTRACE_SEIZE of it",                                                             \
      "none: it is not stopped, and released at once; microvm started it for this")                \
    X(namespace_user, CHECKS_NAMESPACES, "new user namespace", ACTS, "",                           \
      "unshare(2), CLONE_NEWUSER", CHECKS_SHORT)                                                   \
    X(namespace_mount, CHECKS_NAMESPACES, "new mount namespace", ACTS, "",                         \
      "unshare(2), CLONE_NEWNS", CHECKS_SHORT)                                                     \
    X(namespace_pid, CHECKS_NAMESPACES, "new pid namespace", ACTS, "",                             \
      "unshare(2), CLONE_NEWPID", CHECKS_SHORT)                                                    \
    X(namespace_net, CHECKS_NAMESPACES, "new net namespace", ACTS, "",                             \
      "unshare(2), CLONE_NEWNET", CHECKS_SHORT)                                                    \
    X(namespace_uts, CHECKS_NAMESPACES, "new uts namespace", ACTS, "",                             \
      "unshare(2), CLONE_NEWUTS", CHECKS_SHORT)                                                    \
    X(namespace_ipc, CHECKS_NAMESPACES, "new ipc namespace", ACTS, "",                             \
      "unshare(2), CLONE_NEWIPC", CHECKS_SHORT)                                                    \
    X(namespace_cgroup, CHECKS_NAMESPACES, "new cgroup namespace", ACTS, "",                       \
      "unshare(2), CLONE_NEWCGROUP", CHECKS_SHORT)                                                 \
    X(namespace_time, CHECKS_NAMESPACES, "new time namespace", ACTS, "",                           \
      "unshare(2), CLONE_NEWTIME", CHECKS_SHORT)                                                   \
    X(setns, CHECKS_NAMESPACES, "enter a namespace", ACTS, "",                                     \
      "setns(2) to its own uts namespace", "none: it is in that namespace already")                \
    X(mount, CHECKS_NAMESPACES, "mount", ACTS, "ns_mnt",                                           \
      "mount(2) of the type microvm-none", "none: no kernel has a file system of that type")       \
    X(chroot, CHECKS_NAMESPACES, "escape from a chroot", ACTS, "ns_mnt",                          \
      "chroot(2) below an open directory, then 64 times \"..\"",                                   \
      "none: only its own root changes, and the empty directory for it is removed")                \
    X(file_handle, CHECKS_NAMESPACES, "open by file handle", ACTS, "",                             \
      "open_by_handle_at(2)", "none: no file system makes a handle of this type")                  \
    X(keyctl, CHECKS_INTERFACES, "keyctl", ACTS, "",                                               \
      "keyctl(2), KEYCTL_GET_KEYRING_ID", "none: it reads the number of its own keyring")          \
    X(bpf, CHECKS_INTERFACES, "bpf", ACTS, "",                                                     \
      "bpf(2), BPF_PROG_GET_NEXT_ID",                                                              \
      "none: it reads the number of a program, and opens none")                                    \
    X(perf, CHECKS_INTERFACES, "perf_event_open", ACTS, "",                                        \
      "perf_event_open(2) of a dummy counter", "none: it counts nothing, and is closed at once")   \
    X(userfaultfd, CHECKS_INTERFACES, "userfaultfd", ACTS, "",                                     \
      "userfaultfd(2)", "none: it is closed at once")                                              \
    X(io_uring, CHECKS_INTERFACES, "io_uring_setup", ACTS, "",                                     \
      "io_uring_setup(2) of one entry", "none: it is closed at once, and nothing is submitted")    \
    X(raw_socket, CHECKS_SOCKETS, "raw IP", ACTS, "ns_net",                                        \
      "socket(2), AF_INET, SOCK_RAW", CHECKS_SOCKET)                                               \
    X(packet_socket, CHECKS_SOCKETS, "raw Ethernet", ACTS, "ns_net",                               \
      "socket(2), AF_PACKET, SOCK_RAW", CHECKS_SOCKET)                                             \
    X(netlink_socket, CHECKS_SOCKETS, "netlink", ACTS, "ns_net",                                   \
      "socket(2), AF_NETLINK", CHECKS_SOCKET)                                                      \
    X(vsock, CHECKS_SOCKETS, "vsock", ACTS, "",                                                    \
      "socket(2), AF_VSOCK", CHECKS_SOCKET)
/* clang-format on */

#endif
