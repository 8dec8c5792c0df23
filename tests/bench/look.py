# SPDX-License-Identifier: Apache-2.0
"""Observe one running monitor from outside: its exits to user space, system calls and memory.

The guest's init holds after its first act (see init.c). Until then strace has recorded every system call and the host
kernel's trace events every exit; then the memory map is read. The same instruments serve every monitor, so that
nobody's own count has to be believed.
"""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

TRACING = Path("/sys/kernel/tracing")
EVENTS = ["kvm_userspace_exit", "kvm_pio", "kvm_mmio"]
READY_TIMEOUT_S = 120
FIRST_ACT = re.compile(r"pio_write at 0x3f8 .*val 0x1 ?$")

PORTS = [(0x20, 0x21, "pic"), (0x40, 0x43, "pit"), (0x60, 0x64, "keyboard"), (0x70, 0x71, "cmos"), (0x80, 0x80, "post"),
         (0xa0, 0xa1, "pic"), (0x2e8, 0x2ef, "serial"), (0x2f8, 0x2ff, "serial"),
         (0x3e8, 0x3ef, "serial"), (0x3f8, 0x3ff, "serial"), (0x510, 0x51b, "fw_cfg"), (0xcf8, 0xcff, "pci"),
         (0xd00, 0xd03, "doorbell")]


def name_port(port):
    for first, last, name in PORTS:
        if first <= port <= last:
            return name
    return f"port {port:#x}"


def name_address(address):
    """Virtio windows are 0x200 bytes in QEMU's microvm machine type, a page in microvm; the first is number 0."""
    if 0xfeb00000 <= address < 0xfeb10000:
        return f"virtio-mmio {(address - 0xfeb00000) // 0x200}"
    if 0xd0000000 <= address < 0xd0100000:
        return f"virtio-mmio {(address - 0xd0000000) // 0x1000}"
    return f"address {address:#x}"


def count_exits(trace):
    """Counts exits to user space until init's first act, by reason and by address."""
    reasons, places, touched, unnamed_port = {}, {}, {}, set()

    def add(table, key):
        table[key] = table.get(key, 0) + 1

    for line in trace.splitlines():
        match = re.match(r"\s*(.+?-\d+)\s.*?: (kvm_\w+): (.*)$", line)
        if not match:
            continue
        task, event, text = match.groups()
        if event == "kvm_pio":
            port = int(re.search(r" at (0x[0-9a-f]+)", text)[1], 16)
            # The kernel traces a read after user space has handled it, a write before.
            if task in unnamed_port:
                unnamed_port.discard(task)
                add(places, name_port(port))
            else:
                touched[task] = name_port(port)
            if FIRST_ACT.search(text):
                return reasons, places
        elif event == "kvm_mmio":
            if not text.startswith("mmio read"):
                touched[task] = name_address(int(re.search(r" gpa (0x[0-9a-f]+)", text)[1], 16))
        else:
            reason = re.search(r"reason (?:KVM_EXIT_)?(\w+)", text)[1].lower()
            add(reasons, reason)
            if reason not in ("io", "mmio"):
                continue
            if task in touched:
                add(places, touched.pop(task))
            else:
                unnamed_port.add(task)
    raise RuntimeError("the trace of exits does not reach init's first act")


def count_calls(log):
    """From strace's log: the monitor (the first process to call KVM_RUN) and the calls of all its threads until then, since its
    execve. Returns (process, calls, calls by name, calls of all processes, guest memory as (address, size) list)."""
    parent, calls, names, everybody, memory, pending = {}, {}, {}, 0, [], {}

    def process_of(task):
        while task in parent:
            task = parent[task]
        return task

    for line in log.splitlines():
        match = re.match(r"(\d+)\s+(.*)$", line)
        if not match or match[2].startswith(("+++", "---")):
            continue
        task, text = match.groups()
        resumed = re.match(r"<\.\.\. (\w+) resumed>", text)
        whole = pending.pop(task, "") + text if resumed else text
        if text.endswith("<unfinished ...>"):
            pending[task] = text
        thread = re.search(r"CLONE_THREAD.*\) = (\d+)(?: /\* (\d+) in strace's PID NS \*/)?$", whole)
        if thread:
            parent[thread[2] or thread[1]] = process_of(task)
        region = re.search(r"KVM_SET_USER_MEMORY_REGION, .*memory_size=(\w+), userspace_addr=(\w+)", whole)
        if region:
            memory.append((int(region[2], 16), int(region[1], 0)))
        if resumed:
            continue
        everybody += 1
        process = process_of(task)
        name = re.match(r"\w+", text)[0]
        if name == "execve":
            calls[process], names[process] = 0, {}
        calls[process] = calls.get(process, 0) + 1
        table = names.setdefault(process, {})
        table[name] = table.get(name, 0) + 1
        if "KVM_RUN" in text:
            return int(process), calls[process] - 1, names[process], everybody - 1, memory
    raise RuntimeError("strace saw no KVM_RUN")


def private_memory(process, guest_memory):
    """Private resident bytes of a process: (all its own, guest memory's)."""
    own = guest = 0
    inside = False
    for line in Path(f"/proc/{process}/smaps").read_text().splitlines():
        head = re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line)
        if head:
            start = int(head[1], 16)
            inside = any(base <= start < base + size for base, size in guest_memory)
        elif line.startswith(("Private_Clean:", "Private_Dirty:", "Private_Hugetlb:")):
            size = int(line.split()[1]) * 1024
            if inside:
                guest += size
            else:
                own += size
    return own, guest


def trace_switch(on):
    if not (TRACING / "events").exists():
        subprocess.run(["mount", "-t", "tracefs", "tracefs", TRACING], check=True)
    for event in EVENTS:
        (TRACING / "events/kvm" / event / "enable").write_text("1" if on else "0")
    if on:
        (TRACING / "buffer_size_kb").write_text("16384")
        (TRACING / "trace").write_text("")
    (TRACING / "tracing_on").write_text("1" if on else "0")


def wait_ready(child, word, output):
    """Reads the child's output until init reports that it waits."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    seen = b""
    os.set_blocking(child.stdout.fileno(), False)
    while word not in seen:
        if child.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{output}: init was not reached:\n{seen.decode(errors='replace')}")
        seen += child.stdout.read() or b""
        time.sleep(0.02)
    time.sleep(0.1)


def look_at(contender, root, scratch):
    """Boots below `root` with an init that waits; returns a dictionary of counts."""
    log = Path(scratch) / f"strace.{contender.name}"
    trace_switch(True)
    child = subprocess.Popen(["strace", "-f", "-qq", "--pidns-translation", "-s", "4096", "-o", str(log), "chroot", root] + contender.argv("hold"),
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             start_new_session=True)
    try:
        wait_ready(child, contender.ready, contender.name)
        trace_switch(False)
        reasons, places = count_exits((TRACING / "trace").read_text())
        process, calls, names, everybody, memory = count_calls(log.read_text())
        own, guest = private_memory(process, memory)
    finally:
        trace_switch(False)
        os.killpg(child.pid, signal.SIGTERM)
        try:
            child.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    return {
        "exits": reasons.get("io", 0) + reasons.get("mmio", 0),
        "exits_by_reason": reasons,
        "exits_by_place": places,
        "system_calls": calls,
        "system_calls_by_name": dict(sorted(names.items(), key=lambda item: -item[1])),
        "system_calls_with_client": everybody,
        "private_bytes": own,
        "guest_resident_bytes": guest,
    }
