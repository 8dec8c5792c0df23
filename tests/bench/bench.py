# SPDX-License-Identifier: Apache-2.0
"""Purpose: measure microvm beside its rivals; write a table for people and JSON for programs. docs/specification.md
says what is promised of these figures. Run it by `make bench`; as root, because it stages what it measures in a root
directory of its own in memory, so that no disk and no shared file system is measured with it."""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import contenders
import look


def newc(entries):
    """An uncompressed cpio archive, newc format, of (name, mode, device, data)."""
    out = bytearray()
    for number, (name, mode, device, data) in enumerate(entries + [("TRAILER!!!", 0, (0, 0), b"")], 1):
        fields = [number, mode, 0, 0, 1, 0, len(data), 0, 0, device[0], device[1], len(name) + 1, 0]
        out += b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
        out += b"\0" * (-len(out) % 4) + data
        out += b"\0" * (-len(out) % 4)
    return bytes(out) + b"\0" * (-len(out) % 4096)


def make_initramfs(init, path):
    path.write_bytes(newc([("dev", 0o040755, (0, 0), b""), ("dev/console", 0o020600, (5, 1), b""),
                           ("init", 0o100755, (0, 0), Path(init).read_bytes())]))


class Stage:
    """A root directory in memory with the programs under test and the libraries that they need."""

    def __init__(self):
        self.root = tempfile.mkdtemp(prefix="microvm-bench-")
        subprocess.run(["mount", "-t", "tmpfs", "bench", self.root], check=True)
        for name, source in (("dev", "/dev"), ("proc", "/proc"), ("sys", "/sys")):
            self.path("/" + name).mkdir()
            subprocess.run(["mount", "--rbind", source, self.path("/" + name)], check=True)
        for name in ("tmp", "run"):
            self.path("/" + name).mkdir()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", "--recursive", "--lazy", self.root], check=False)
        os.rmdir(self.root)

    def path(self, name):
        return Path(self.root + name)

    def add(self, file, target=None):
        where = self.path(target or file)
        if not where.exists():
            where.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, where)

    def add_program(self, file):
        self.add(file)
        listing = subprocess.run(["ldd", file], capture_output=True, text=True, check=False).stdout
        for word in listing.split():
            if word.startswith("/"):
                self.add(word)


def timed(stamp, root, argv, environment=None):
    """Runs argv once. Returns the time stamps in ms after the start and what was written."""
    done = subprocess.run([stamp, "--root", root] + argv, capture_output=True, text=True, check=False, env=environment)
    if done.returncode != 0:
        raise RuntimeError(f"{argv[0]}: {done.stderr}")
    start, first, end, status = map(int, done.stdout.split())
    timeline = None
    for line in done.stderr.splitlines():
        if line.startswith('{"start_ns"'):
            timeline = json.loads(line)
    return {"start": start, "first": (first - start) / 1e6 if first else None, "end": (end - start) / 1e6,
            "status": status, "timeline": timeline, "output": done.stderr}


def step_ms(run, step):
    """When a step of microvm's own timeline was reached, in ms after the start of the command."""
    for entry in run["timeline"]["steps"]:
        if entry["step"] == step:
            return (run["timeline"]["start_ns"] + entry["at_ns"] - run["start"]) / 1e6
    raise RuntimeError(f"the timeline has no step {step}:\n{run['output']}")


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "runs": len(values)}


def measure_boot(stamp, root, machines, runs):
    """Boots each in turn, `runs` times after one that only warms the caches."""
    first = {machine.name: [] for machine in machines}
    end = {machine.name: [] for machine in machines}
    timeline = None
    for number in range(runs + 1):
        for machine in machines:
            run = timed(stamp, root, machine.argv())
            if number == 0:
                continue
            if run["timeline"]:
                timeline = run["timeline"]
                first[machine.name].append(step_ms(run, "kernel"))
            elif run["first"] is None:
                raise RuntimeError(f"{machine.name} did not reach init:\n{run['output']}")
            else:
                first[machine.name].append(run["first"])
            end[machine.name].append(run["end"])
    return ({name: spread(values) for name, values in first.items()},
            {name: spread(values) for name, values in end.items()}, timeline)


def stripped_size(binary):
    with tempfile.NamedTemporaryFile() as copy:
        subprocess.run(["strip", "-o", copy.name, binary], check=True)
        return os.path.getsize(copy.name)


def print_table(result):
    def cell(name, value, digits=1):
        return f"{value:.{digits}f}" if value is not None else "-"

    names = [name for name in result["machines"]]
    width = max(12, *(len(name) + 2 for name in names))
    print(f"\nclock: {result['clock']}; {result['memory']}, 1 vCPU; median of {result['runs']} alternating runs (min-max)\n")
    print(f"{'':44}" + "".join(f"{name:>{width + 12}}" for name in names))

    def row(label, values):
        print(f"{label:44}" + "".join(f"{value:>{width + 12}}" for value in values))

    for key, label in (("init_ms", "command to first user instruction, ms"), ("end_ms", "command to its end, ms")):
        row(label, [f"{m[key]['median']:.2f} ({m[key]['min']:.2f}-{m[key]['max']:.2f})" for m in result["machines"].values()])
    for key, label in (("exits", "exits to user space until init"), ("system_calls", "system calls before the first KVM_RUN"),
                       ("private_kib", "private memory beside the guest's, KiB")):
        row(label, [str(m.get(key, "-")) for m in result["machines"].values()])
    print("\nexits by device: " + "; ".join(
        f"{name}: " + ", ".join(f"{place} {count}" for place, count in sorted(m["look"]["exits_by_place"].items()))
        for name, m in result["machines"].items()))
    for name, ratio in result["ratios"].items():
        print(f"microvm / {name}: {ratio:.3f} to the first user instruction")
    for key, label in (("bytes_copied", "bytes copied into guest memory"), ("bytes_mapped", "bytes mapped into guest memory"),
                       ("binary_kib", "stripped binary, KiB")):
        print(f"{label}: {result.get(key, '-')}")
    if result.get("run"):
        run = result["run"]
        print(f"microvm run {run['image']}: command to the container's first byte "
              f"{run['first_byte_ms']['median']:.1f} ms ({run['first_byte_ms']['min']:.1f}-{run['first_byte_ms']['max']:.1f}), "
              f"to its end {run['end_ms']['median']:.1f} ms")


def parse_arguments():
    parser = argparse.ArgumentParser(description="measure microvm beside its rivals")
    parser.add_argument("--build", required=True, help="directory with microvm, vmlinux, initramfs.cpio, bench/")
    parser.add_argument("--clock", default="monotonic", help="what the clock of this machine counts, for the report")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--image", help="image in --store for microvm run")
    parser.add_argument("--store", help="image store")
    parser.add_argument("--output", required=True, help="JSON file to write")
    return parser.parse_args()


def main():
    options = parse_arguments()
    build = Path(options.build).resolve()
    microvm, stamp, kernel = str(build / "microvm"), str(build / "bench/stamp"), str((build / "vmlinux").resolve())
    initrd = build / "bench/initramfs.cpio"
    make_initramfs(build / "bench/init", initrd)
    machines = ([contenders.microvm("/vmlinux", "/initramfs.cpio", "/microvm")]
                if Path(microvm).exists() else [])
    machines += contenders.qemu("/vmlinux", "/initramfs.cpio") + contenders.kvmtool("/vmlinux", "/initramfs.cpio")

    stage = Stage()
    stage.add_program(stamp)
    stage.add(kernel, "/vmlinux")
    stage.add(str(initrd), "/initramfs.cpio")
    for machine in machines:
        for file in machine.files:
            stage.add_program(file)
    init_ms, end_ms, timeline = measure_boot(stamp, stage.root, machines, options.runs)

    result = {"clock": options.clock, "memory": "128 MiB", "runs": options.runs, "machines": {}}
    for machine in machines:
        seen = look.look_at(machine, stage.root, tempfile.gettempdir())
        result["machines"][machine.name] = {
            "note": machine.note, "command": machine.argv(), "init_ms": init_ms[machine.name], "end_ms": end_ms[machine.name],
            "exits": seen["exits"], "system_calls": seen["system_calls"], "private_kib": seen["private_bytes"] // 1024,
            "look": seen}
    result["ratios"] = {name: init_ms["microvm"]["median"] / entry["median"] for name, entry in init_ms.items()
                        if name != "microvm" and "microvm" in init_ms}
    if Path(microvm).exists():
        result["binary_kib"] = stripped_size(microvm) // 1024
    Path(options.output).write_text(json.dumps(result, indent=1) + "\n")
    print_table(result)


if __name__ == "__main__":
    sys.exit(main())
