# SPDX-License-Identifier: Apache-2.0
"""Import of images: throughput compared with umoci and with skopeo and mksquashfs, and how time and memory grow with an image.

All begin with the same OCI layout. `microvm image load` verifies every digest and writes one squashfs. `umoci unpack`
writes a directory, and no more. `skopeo copy` verifies and copies the blobs, and `mksquashfs` packs a directory with the
same compressor and block size: `skopeo + umoci + mksquashfs` is the same job as ours, `skopeo + mksquashfs` that with the
unpacked directory for free. Everything lies in memory, so that no disk is measured. Times are wall-clock times of this
host and depend on what else it does: compare ratios, which are medians of the ratios of interleaved runs.

For growth, plain archives of root file systems of a known size and number of files are loaded. Half of each file is
random and half is zeros. Memory is the peak of the largest process (ru_maxrss).
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
from io import BytesIO
from pathlib import Path

from stage import spread, timed

MIB = 1 << 20
SIZES = [(16, 64), (64, 64), (256, 64)]  # MiB, files
COUNTS = [(16, 1000), (16, 4000), (16, 16000)]
SQUASH = ["-comp", "lz4", "-b", "32K", "-noappend", "-no-progress", "-quiet"]


class Stopwatch:
    """Runs commands by bench/stamp: a small parent, so that the parent's memory does not become the peak."""

    def __init__(self, build):
        self.stamp, self.microvm = str(build / "bench/stamp"), str(build / "microvm")

    def run(self, argv, environment=None):
        """Returns wall time, processor time and peak memory, including the descendants'."""
        done = timed(self.stamp, None, [shutil.which(argv[0])] + argv[1:], os.environ | (environment or {}))
        if done["status"] != 0:
            raise RuntimeError(f"{' '.join(argv)}: {done['output']}")
        return {"s": done["end"] / 1e3, "processor_s": done["processor"] / 1e3, "memory_mib": done["memory_kib"] / 1024}

    def load(self, source, store):
        shutil.rmtree(store, ignore_errors=True)
        return self.run([self.microvm, "image", "load", "-q", "-t", "bench", str(source)], {"MICROVM_STORE": str(store)})


def together(*runs):
    return {"s": sum(run["s"] for run in runs), "processor_s": sum(run["processor_s"] for run in runs),
            "memory_mib": max(run["memory_mib"] for run in runs)}


def compare(watch, layout, work, runs):
    """Each contender once per round, in new directories."""
    results = {name: [] for name in ("microvm image load", "umoci unpack", "skopeo + mksquashfs", "skopeo + umoci + mksquashfs")}
    store, bundle, copy, packed = (work / name for name in ("store", "bundle", "copy", "root.squashfs"))
    for number in range(runs + 1):
        for old in (bundle, copy):
            shutil.rmtree(old, ignore_errors=True)
        ours = watch.load(layout, store)
        unpack = watch.run(["umoci", "unpack", "--image", f"{layout}:latest", str(bundle)])
        fetch = watch.run(["skopeo", "copy", "-q", "--insecure-policy", f"oci:{layout}:latest", f"oci:{copy}:latest"])
        pack = watch.run(["mksquashfs", str(bundle / "rootfs"), str(packed)] + SQUASH)
        if number > 0:  # the first warms the caches
            for name, result in zip(results, (ours, unpack, together(fetch, pack), together(fetch, unpack, pack))):
                results[name].append(result)
    files = sum(len(names) for _, _, names in os.walk(bundle / "rootfs"))
    size = int(subprocess.run(["du", "-sb", bundle / "rootfs"], capture_output=True, text=True, check=True).stdout.split()[0])
    ours = results["microvm image load"]
    return {
        "mib": size / MIB, "files": files, "runs": runs,
        "squashfs_mib": {"microvm": next((store / "roots").glob("*.squashfs")).stat().st_size / MIB, "mksquashfs": packed.stat().st_size / MIB},
        "contenders": {name: {key: spread([one[key] for one in many]) for key in many[0]} | {"mib_per_s": size / MIB / statistics.median(one["s"] for one in many)}
                       for name, many in results.items()},
        "ratios": {name: {key: statistics.median(a[key] / b[key] for a, b in zip(ours, many)) for key in ours[0]}
                   for name, many in results.items() if many is not ours}}


def make_archive(path, mib, files):
    """A root file system of `files` files in directories of 100, `mib` MiB together."""
    size = mib * MIB // files
    with tarfile.open(path, "w") as archive:
        for number in range(files):
            entry = tarfile.TarInfo(f"d{number // 100}/f{number}")
            entry.size = size
            archive.addfile(entry, BytesIO(os.urandom(size // 2) + bytes(size - size // 2)))


def grow(watch, work, runs):
    rows = []
    for mib, files in SIZES + COUNTS:
        archive = work / "root.tar"
        make_archive(archive, mib, files)
        many = [watch.load(archive, work / "store") for _ in range(runs)]
        rows.append({"mib": mib, "files": files} | {key: spread([one[key] for one in many]) for key in many[0]})
        archive.unlink()
    shutil.rmtree(work / "store", ignore_errors=True)
    return rows


def print_table(result):
    image = result["image"]
    print(f"\nimport of a Debian root, {image['mib']:.0f} MiB in {image['files']} files; wall clock of this host; "
          f"median (ours / theirs) of {image['runs']} interleaved runs")
    print(f"{'':32}{'seconds':>20}{'MiB/s':>10}{'processor, s':>20}{'memory, MiB':>20}")
    for name, row in image["contenders"].items():
        ratios = image["ratios"].get(name)

        def cell(key):
            return f"{row[key]['median']:.2f}" + (f" ({ratios[key]:.2f})" if ratios else "")

        print(f"{name:32}{cell('s'):>20}{row['mib_per_s']:>10.0f}{cell('processor_s'):>20}{cell('memory_mib'):>20}")
    print(f"root file system: {image['squashfs_mib']['microvm']:.1f} MiB by microvm, {image['squashfs_mib']['mksquashfs']:.1f} by mksquashfs")
    print(f"\n{'import of MiB in files':32}{'seconds':>20}{'MiB/s':>10}{'processor, s':>20}{'memory, MiB':>20}")
    for row in result["growth"]:
        seconds = row["s"]["median"]
        print(f"{row['mib']:>14} in {row['files']:<14}{seconds:>20.2f}{row['mib'] / seconds:>10.0f}{row['processor_s']['median']:>20.2f}"
              f"{row['memory_mib']['median']:>20.1f}")


def main():
    parser = argparse.ArgumentParser(description="measure imports of images")
    parser.add_argument("--build", required=True, help="directory with microvm and microvm-import")
    parser.add_argument("--layout", required=True, help="OCI layout with the tag latest")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--output", required=True, help="JSON file to write")
    options = parser.parse_args()
    watch = Stopwatch(Path(options.build).resolve())

    with tempfile.TemporaryDirectory(prefix="microvm-bench-") as directory:
        # Only for us: the caller has its own mount namespace, so the mount disappears with us.
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=700", "bench", directory], check=True)
        try:
            work = Path(directory)
            shutil.copytree(options.layout, work / "layout")
            result = {"image": compare(watch, work / "layout", work, options.runs), "growth": grow(watch, work, options.runs)}
        finally:
            subprocess.run(["umount", "--lazy", directory], check=False)
    Path(options.output).write_text(json.dumps(result, indent=1) + "\n")
    print_table(result)


if __name__ == "__main__":
    sys.exit(main())
