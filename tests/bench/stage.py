# SPDX-License-Identifier: Apache-2.0
"""A root directory in memory for the programs under test, and the stopwatch, for every measurement."""

import json
import os
import shutil
import statistics
import subprocess
import tempfile
from pathlib import Path


class Stage:
    """A root directory in memory with the programs under test and the libraries that they need.

    It is a ramfs, because runtimes see whether a file can be sealed, as on tmpfs, and copy themselves into memory then.
    Where programs are installed it cannot."""

    def __init__(self):
        self.root = tempfile.mkdtemp(prefix="microvm-bench-")
        subprocess.run(["mount", "-t", "ramfs", "-o", "mode=755", "bench", self.root], check=True)
        for name, source in (("dev", "/dev"), ("proc", "/proc"), ("sys", "/sys")):
            self.path("/" + name).mkdir()
            subprocess.run(["mount", "--rbind", source, self.path("/" + name)], check=True)
        for name in ("tmp", "run"):
            self.path("/" + name).mkdir()
        self.add("/etc/ld.so.cache")  # without it the loader searches each library in a dozen directories

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

    def add_program(self, file, target=None):
        self.add(file, target)
        listing = subprocess.run(["ldd", file], capture_output=True, text=True, check=False).stdout
        for word in listing.split():
            if word.startswith("/"):
                self.add(word)


def timed(stamp, root, argv, environment=None, byte=None):
    """Runs argv once, below the directory `root` or (None) here. Returns the time stamps in ms after the start, processor
    time and peak memory, and the output. `byte`: the output to wait for, instead of any."""
    options = (["--root", root] if root else []) + (["--byte", str(byte)] if byte is not None else [])
    done = subprocess.run([stamp] + options + argv, capture_output=True, text=True, check=False, env=environment)
    if done.returncode != 0:
        raise RuntimeError(f"{argv[0]}: {done.stderr}")
    start, first, end, status, processor, memory = map(int, done.stdout.split())
    timeline = None
    for line in done.stderr.splitlines():
        if line.startswith('{"start_ns"'):
            timeline = json.loads(line)
    return {"start": start, "first": (first - start) / 1e6 if first else None, "end": (end - start) / 1e6,
            "processor": processor / 1e3, "memory_kib": memory, "status": status, "timeline": timeline, "output": done.stderr}


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "runs": len(values)}


def spread_text(values):
    return f"{values['median']:.2f} ({values['min']:.2f}-{values['max']:.2f})"
