# SPDX-License-Identifier: Apache-2.0
"""The compared commands: how to start each monitor, and how it shows what happens.

Each boots the same kernel with the same initramfs, 128 MiB and one virtual CPU. For its rivals, the leanest
command line that we know is used: their slow defaults would make the comparison unfair.
"""

import shutil

MEMORY = "128m"
# For every kernel. What a monitor adds by itself counts as its own cost.
COMMAND_LINE = "console=hvc0 quiet panic=-1 reboot=t tsc=reliable no_timer_check swiotlb=noforce noreplace-smp 8250.nr_uarts=0"
# What init first writes to the serial port (init.c).
FIRST_BYTE = b"\x01"


class Contender:
    """A monitor under test. `ready` is the output that shows that user space has started."""

    def __init__(self, name, note, command, ready, files=()):
        self.name, self.note, self.command, self.ready, self.files = name, note, command, ready, files

    def argv(self, extra=""):
        line = (COMMAND_LINE + " " + extra).strip()
        return [word.replace("@CMDLINE@", line) for word in self.command]


def microvm(kernel, initrd, binary):
    return Contender(
        "microvm", "microvm boot",
        [binary, "boot", "--timeline=json", "--kernel", kernel, "--initrd", initrd, "-m", MEMORY, "--cpus", "1",
         "--cmdline", "@CMDLINE@"],
        b"bench: holding")


# isa-serial stays on, because init's first byte must be visible; the guest's kernel does not probe for it.
QEMU_BASE = [
    "-M", "microvm,x-option-roms=off,pit=off,pic=off,rtc=off,acpi=off,isa-serial=on,auto-kernel-cmdline=@AUTO@",
    "-accel", "kvm,kernel-irqchip=on", "-cpu", "host", "-m", MEMORY, "-smp", "1", "-nodefaults", "-no-user-config",
    "-nographic", "-no-reboot", "-serial", "stdio",
]
QEMU_DEVICES = [
    "-device", "virtio-serial-device,max_ports=1", "-chardev", "null,id=console", "-device", "virtconsole,chardev=console",
    "-device", "virtio-rng-device",
]


def qemu(kernel, initrd):
    """QEMU's microvm machine type with the console and entropy devices that `microvm boot` always has, the same
    without any virtio device, and, if installed, Debian's build of QEMU for this machine type only."""
    end = ["-kernel", kernel, "-initrd", initrd, "-append", "@CMDLINE@"]
    found = []

    def add(name, note, program, devices):
        binary = shutil.which(program)
        if binary:
            base = [word.replace("@AUTO@", "on" if devices else "off") for word in QEMU_BASE]
            found.append(Contender(name, note, [binary] + base + devices + end, FIRST_BYTE,
                                   [binary, "/usr/share/qemu/qboot.rom"]))

    add("qemu", "QEMU -M microvm, console and entropy", "qemu-system-x86_64", QEMU_DEVICES)
    add("qemu-bare", "QEMU -M microvm, no virtio device", "qemu-system-x86_64", [])
    add("qemu-small", "QEMU built for microvm only, console and entropy", "qemu-system-x86_64-microvm", QEMU_DEVICES)
    return found


def kvmtool(bzimage, initrd):
    """kvmtool, or why it is not measured. It only boots a bzImage, and keeps its sockets in ~/.lkvm."""
    binary = shutil.which("lkvm") or shutil.which("kvmtool")
    if not binary:
        return [], "no lkvm in PATH; Debian 12 has no package of it"
    if not bzimage:
        return [], "it boots nothing but a bzImage: name one of the same kernel by BENCH_BZIMAGE=FILE"
    return [Contender(
        "kvmtool", "kvmtool, serial console",
        [binary, "run", "--console", "serial", "-k", "/bzImage", "-i", initrd, "-m", MEMORY.rstrip("m"), "-c", "1",
         "--network", "mode=none", "-p", "@CMDLINE@"],
        FIRST_BYTE, [binary])], None
