# SPDX-License-Identifier: Apache-2.0
"""Measures microvm and other monitors; writes a table for people and JSON for programs. docs/reference/specification.md
has the promises about these numbers. Run it by `make bench`; as root, because it puts what it measures into its own
root directory in memory, so that it measures neither a disk nor a shared file system."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import container
import contenders
import look
from stage import Stage, spread, spread_text, timed


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


def step_ms(run, step):
    """When microvm's own timeline reached a step, in ms after the start of the command."""
    for entry in run["timeline"]["steps"]:
        if entry["step"] == step:
            return (run["timeline"]["start_ns"] + entry["at_ns"] - run["start"]) / 1e6
    raise RuntimeError(f"the timeline has no step {step}:\n{run['output']}")


def measure_boot(stamp, root, machines, runs):
    """Boots all of them `runs` times, interleaved, after one boot that only warms the caches."""
    first = {machine.name: [] for machine in machines}
    end = {machine.name: [] for machine in machines}
    timeline = None
    for number in range(runs + 1):
        for machine in machines:
            run = timed(stamp, root, machine.argv(), byte=contenders.FIRST_BYTE[0])
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


def measure_run(stamp, stage, image, runs):
    """Runs a container that prints one word: to the first byte of its output, and to the end of the command."""
    environment = {"MICROVM_STORE": "/store", "MICROVM_KERNEL": "/vmlinux", "MICROVM_INITRAMFS": "/guest.cpio",
                   "MICROVM_RUNTIME": "/run/microvm", "PATH": "/bin"}
    argv = ["/microvm", "run", "--timeline=json", "-m", contenders.MEMORY, image, "echo", "hello"]
    results = [timed(stamp, stage.root, argv, environment) for _ in range(runs + 1)][1:]
    for result in results:
        if result["status"] != 0 or not result["first"]:
            raise RuntimeError(f"microvm run failed:\n{result['output']}")
    return {"image": image, "command": argv, "first_byte_ms": spread([result["first"] for result in results]),
            "end_ms": spread([result["end"] for result in results]), "timeline": results[-1]["timeline"]}


def stripped_size(binary):
    with tempfile.NamedTemporaryFile() as copy:
        subprocess.run(["strip", "-o", copy.name, binary], check=True)
        return os.path.getsize(copy.name)


def print_table(result):
    machines = result["machines"]

    def row(label, cells):
        print(f"{label:40}" + "".join(f"{cell:>24}" for cell in cells))

    print(f"\nclock: {result['clock']}; {result['memory']}, 1 vCPU; median (min-max) of {result['runs']} alternating runs\n")
    row("", machines)
    row("command to first user instruction, ms", (spread_text(machine["init_ms"]) for machine in machines.values()))
    row("command to its end, ms", (spread_text(machine["end_ms"]) for machine in machines.values()))
    for key, label in (("exits", "exits to user space until then"), ("system_calls", "system calls before first KVM_RUN"),
                       ("private_kib", "private memory beside guest's, KiB")):
        row(label, (machine[key] for machine in machines.values()))
    print()
    for name, machine in machines.items():
        places = ", ".join(f"{place} {count}" for place, count in sorted(machine["look"]["exits_by_place"].items()))
        print(f"{name}: {machine['note']}; exits by device: {places}")
    if result["kvmtool_absent"]:
        print(f"kvmtool: not measured: {result['kvmtool_absent']}")
    for name, ratio in result["ratios"].items():
        print(f"microvm / {name}, command to first user instruction: {ratio:.3f}")
    print(f"microvm: {result['bytes_copied']} bytes copied into guest memory; "
          f"stripped binary {result['binary_kib']} KiB")
    run = result["run"]
    print(f"microvm run {run['image']}: command to the container's first byte, ms: {spread_text(run['first_byte_ms'])}; "
          f"to its end: {spread_text(run['end_ms'])}")
    container.print_table(result["container"], result["clock"])


def parse_arguments():
    parser = argparse.ArgumentParser(description="measure microvm beside its rivals")
    parser.add_argument("--build", required=True, help="directory with microvm, vmlinux, initramfs.cpio, bench/")
    parser.add_argument("--clock", default="monotonic", help="what the clock counts, for the report")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--store", required=True, help="image store")
    parser.add_argument("--image", required=True, help="image of that store for microvm run; it must have `echo`")
    parser.add_argument("--output", required=True, help="JSON file to write")
    return parser.parse_args()


def main():
    options = parse_arguments()
    build = Path(options.build).resolve()
    microvm, stamp, kernel = str(build / "microvm"), str(build / "bench/stamp"), str((build / "vmlinux").resolve())
    initrd = build / "bench/initramfs.cpio"
    make_initramfs(build / "bench/init", initrd)
    machines = [contenders.microvm("/vmlinux", "/initramfs.cpio", "/microvm")]
    bzimage = os.environ.get("BENCH_BZIMAGE")
    kvmtool, kvmtool_absent = contenders.kvmtool(bzimage, "/initramfs.cpio")
    machines += contenders.qemu("/vmlinux", "/initramfs.cpio") + kvmtool

    with Stage() as stage:
        container.stage_programs(stage, stamp, microvm)
        stage.add(kernel, "/vmlinux")
        stage.add(str(initrd), "/initramfs.cpio")
        if kvmtool:
            stage.add(bzimage, "/bzImage")
            stage.path(os.environ.setdefault("HOME", "/root")).mkdir(parents=True, exist_ok=True)
        for machine in machines:
            for file in machine.files:
                stage.add_program(file)
        stage.add(build / "initramfs.cpio", "/guest.cpio")
        shutil.copytree(options.store, stage.path("/store"))
        init_ms, end_ms, timeline = measure_boot(stamp, stage.root, machines, options.runs)

        result = {"clock": options.clock, "memory": "128 MiB", "runs": options.runs, "machines": {}, "kvmtool_absent": kvmtool_absent}
        for machine in machines:
            seen = look.look_at(machine, stage.root, tempfile.gettempdir())
            result["machines"][machine.name] = {
                "note": machine.note, "command": machine.argv(), "init_ms": init_ms[machine.name], "end_ms": end_ms[machine.name],
                "exits": seen["exits"], "system_calls": seen["system_calls"], "private_kib": seen["private_bytes"] // 1024,
                "look": seen}
        result["run"] = measure_run(stamp, stage, options.image, options.runs)
        result["container"] = container.measure(stamp, stage, microvm, options.image, options.runs)
    result["timeline"] = timeline
    result["bytes_copied"] = timeline["counts"]["init"]["bytes.copied"]
    result["ratios"] = {name: init_ms["microvm"]["median"] / entry["median"] for name, entry in init_ms.items()
                        if name != "microvm"}
    result["binary_kib"] = stripped_size(microvm) // 1024
    Path(options.output).write_text(json.dumps(result, indent=1) + "\n")
    print_table(result)


if __name__ == "__main__":
    sys.exit(main())
