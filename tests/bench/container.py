# SPDX-License-Identifier: Apache-2.0
"""Compares `microvm run --isolation=container` with its OCI runtime alone: what do microvm's own steps cost?

The runtime alone gets for free everything that the container path creates and removes at each run: the root is mounted
once, before the first run (squashfs, tmpfs and overlay like ours, with its pages in memory), the bundle is written, and
nothing reads an image store, keeps an instance, relays output or ensures that no process outlives the caller. Both get
the same config.json, which the container path itself has written (same seccomp filter, mounts, masks, devices, cgroup),
the same command, no network, directories in memory. There are two runtimes: the crun that is bundled with microvm, and
the distribution's, if it is installed.

bench.py calls measure(); as a program it does the same on the host by the wall clock, without a VM.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

from stage import Stage, spread, timed

NAME = "bench"
ALONE = "/alone"
UNIFIED = "/sys/fs/cgroup/unified"
MEASURES = (("first", "first_byte_ms", "command to first byte, ms"), ("end", "end_ms", "command to its end, ms"),
            ("processor", "processor_ms", "processor time, ms"))
START_TIMEOUT_S = 30


def environment():
    return {"MICROVM_STORE": "/store", "MICROVM_RUNTIME": "/run/microvm", "PATH": "/bin"}


def children(pid):
    """The numbers of the processes whose parent is `pid`."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        if int(fields[1]) == pid:
            yield int(stat.parent.name)


def find_bundle(client):
    """The directory of the bundle once the container runs. It is on a mount of init's, the client's child; else None."""
    for init in children(client):
        ours = Path(f"/proc/{init}/root/run/microvm/{NAME}")
        if (ours / "run/container.pid").exists():
            return ours / "bundle"
    return None


def capture_bundle(stage, image):
    """Runs the container path, which writes a bundle, and copies the bundle while the container runs."""
    child = subprocess.Popen(["chroot", stage.root, "/microvm", "run", "--isolation=container", "-i", "--name", NAME, image, "cat"],
                             stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=environment() | {"PATH": os.environ["PATH"]})
    deadline = time.monotonic() + START_TIMEOUT_S
    while not (source := find_bundle(child.pid)):
        if child.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("the container path did not start a container")
        time.sleep(0.02)
    bundle = stage.path(ALONE + "/bundle")
    bundle.mkdir(parents=True)
    for file in source.iterdir():
        if file.is_file():
            shutil.copy(file, bundle)
    child.stdin.close()
    if child.wait() != 0:
        raise RuntimeError("the container path failed")
    return bundle


def prepare_alone(stage, image, command):
    """What a runtime alone needs: a bundle and a mounted root."""
    bundle = capture_bundle(stage, image)
    rootfs, lower, overlay = bundle / "rootfs", stage.path(ALONE + "/lower"), stage.path(ALONE + "/overlay")
    for directory in (rootfs, lower, overlay):
        directory.mkdir()
    root = next(stage.path("/store/roots").glob("*.squashfs"))
    subprocess.run(["mount", "-t", "squashfs", "-o", "loop,ro", root, lower], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=700", "tmpfs", overlay], check=True)
    for name in ("upper", "work"):
        (overlay / name).mkdir(mode=0o755)
    options = f"volatile,lowerdir={lower},upperdir={overlay}/upper,workdir={overlay}/work"
    subprocess.run(["mount", "-t", "overlay", "-o", options, "overlay", rootfs], check=True)

    config = json.loads((bundle / "config.json").read_text())
    config["process"]["args"] = command
    config["root"]["path"] = ALONE + "/bundle/rootfs"
    config["linux"]["cgroupsPath"] = "/microvm-bench-alone"
    for mount in config["mounts"]:
        if mount["type"] == "bind":
            mount["source"] = ALONE + "/bundle/" + Path(mount["source"]).name
    (bundle / "config.json").write_text(json.dumps(config, separators=(",", ":")))
    # If crun sees this hierarchy it creates no container; process 1 of the container path hides it, too.
    unified = stage.path(UNIFIED)
    if unified.exists():
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", unified], check=True)


def find_runtimes(microvm):
    """The runtimes to compare with: (name, file on the host, path in the stage)."""
    found = [("crun", str(Path(microvm).parent / "crun"), "/crun")]
    packaged = shutil.which("crun")
    if packaged:
        found.append(("crun of the distribution", packaged, packaged))
    return found


def stage_programs(stage, stamp, microvm):
    stage.add_program(stamp)
    stage.add_program(microvm, "/microvm")
    for name in ("crun", "microvm-init"):
        stage.add_program(str(Path(microvm).parent / name), "/" + name)
    for _, file, target in find_runtimes(microvm)[1:]:
        stage.add_program(file, target)


def run_once(stamp, stage, name, argv):
    run = timed(stamp, stage.root, argv, environment())
    if run["status"] != 0 or not run["first"]:
        raise RuntimeError(f"{name} failed:\n{run['output']}")
    return run


def measure(stamp, stage, microvm, image, runs):
    """Runs `echo hello` by the container path and by each runtime alone, interleaved; `stage` has the programs and the
    store. Ratios are medians of the ratios of adjacent runs."""
    command = ["echo", "hello"]
    prepare_alone(stage, image, command)
    commands = {"microvm run --isolation=container": ["/microvm", "run", "--isolation=container", image] + command}
    for name, _, path in find_runtimes(microvm):
        commands[name] = [path, "--root=/run/alone", "run", "--bundle", ALONE + "/bundle", "alone"]
    results = {name: [] for name in commands}
    for number in range(runs + 1):
        for name, argv in commands.items():
            run = run_once(stamp, stage, name, argv)
            if number > 0:  # the first warms the caches
                results[name].append(run)

    ours = next(iter(results.values()))
    return {
        "image": image, "runs": runs,
        "commands": {name: {"command": argv} | {key: spread([run[field] for run in results[name]]) for field, key, _ in MEASURES}
                     for name, argv in commands.items()},
        "ratios": {name: {key: statistics.median(a[field] / b[field] for a, b in zip(ours, runs_of)) for field, key, _ in MEASURES}
                   for name, runs_of in results.items() if runs_of is not ours}}


def print_table(result, clock):
    print(f"\nthe container path beside its runtime alone, whose root is mounted beforehand; clock: {clock}; "
          f"median (ratio) of {result['runs']} interleaved runs")
    names = list(result["commands"])
    print(f"{'':40}" + "".join(f"{name:>36}" for name in names))
    for _, key, label in MEASURES:
        cells = [f"{result['commands'][name][key]['median']:.2f}" for name in names]
        ratios = [""] + [f" ({result['ratios'][name][key]:.2f})" for name in names[1:]]
        print(f"{label:40}" + "".join(f"{cell + ratio:>36}" for cell, ratio in zip(cells, ratios)))


def main():
    parser = argparse.ArgumentParser(description="the container path beside its runtime alone, by the wall clock")
    parser.add_argument("--build", required=True, help="directory with microvm, crun, microvm-init, bench/stamp")
    parser.add_argument("--store", required=True, help="image store")
    parser.add_argument("--image", required=True)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--output", required=True, help="JSON file to write")
    options = parser.parse_args()
    build = Path(options.build).resolve()
    stamp, microvm = str(build / "bench/stamp"), str(build / "microvm")

    with Stage() as stage:
        stage_programs(stage, stamp, microvm)
        shutil.copytree(options.store, stage.path("/store"))
        result = measure(stamp, stage, microvm, options.image, options.runs)
    Path(options.output).write_text(json.dumps(result, indent=1) + "\n")
    print_table(result, "wall clock of this host")


if __name__ == "__main__":
    sys.exit(main())
