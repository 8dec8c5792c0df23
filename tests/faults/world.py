# SPDX-License-Identifier: Apache-2.0
"""A place of its own for commands that are made to fail, and what must hold there after each of them."""
import io
import json
import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time

PATIENCE = 30  # seconds after which a command hangs; no measure of speed
GONE_WAIT = 10  # seconds for what was killed to be gone

# Lines of other programs, told beside ours, are no fault; a command that says nothing of its own is one.
CLEAR = ("microvm: ", "microvm-import: ")
LOADER = "error while loading shared libraries"  # also one clear line


class Outcome:
    """How one command ended."""

    def __init__(self, status, out, err, report):
        self.status, self.out, self.err, self.report = status, out, err, report
        self.disturbed = False  # the fault is known to have come about


class World:
    """Programs, a store with an image, a runtime directory; all below one directory."""

    def __init__(self, build, image):
        self.dir = tempfile.mkdtemp(prefix="faults.", dir="/tmp")
        os.chmod(self.dir, 0o755)
        self.image = image
        self.bin = self.path("bin")
        os.mkdir(self.bin)
        for name in ("faults/microvm", "faults/microvm-import", "faults/inject", "microvm-init", "crun", "microvm-probes",
                     "initramfs.cpio"):
            shutil.copy2(os.path.join(build, name), self.bin)
        shutil.copy("tests/fuzz/seeds/elf/two-segments", self.path("kernel"))
        self.make_root(self.path("root.tar"))
        for name in ("run", "tmp", "good"):
            os.mkdir(self.path(name), 0o700)
        self.microvm = os.path.join(self.bin, "microvm")
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": self.path("tmp"),
            "TMPDIR": self.path("tmp"),
            "MICROVM_STORE": self.path("store"),
            "MICROVM_RUNTIME": self.path("run"),
            "FAULTS_WORLD": self.dir,
        }
        self.allocations = os.path.join(self.bin, "allocations")
        first = self.run(["image", "load", "-t", "busybox", image])
        if first.status != 0:
            raise RuntimeError(f"cannot load the image: {first.err}")
        shutil.copytree(self.path("store"), self.path("good/store"))
        self.others_groups = set(self.cgroups())  # left there by somebody else
        self.effects = 0  # how many faults have come about

    @staticmethod
    def make_root(path):
        """A root file system that does not get smaller when it is compressed."""
        with tarfile.open(path, "w") as tar:
            for name, size in (("bin/sh", 5000), ("etc/passwd", 100), ("data", 700000)):
                member = tarfile.TarInfo(name)
                member.size, member.mode = size, 0o755
                tar.addfile(member, io.BytesIO(os.urandom(size)))

    def path(self, name):
        return os.path.join(self.dir, name)

    def remove(self):
        self.kill_leftovers()
        shutil.rmtree(self.dir, ignore_errors=True)

    def reset(self):
        """The store as it was before any fault."""
        shutil.rmtree(self.path("store"))
        shutil.copytree(self.path("good/store"), self.path("store"))
        for name in os.listdir(self.path("tmp")):
            path = self.path("tmp/" + name)
            shutil.rmtree(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)

    def expand(self, arguments):
        return [a.replace("@image", self.image).replace("@", self.dir + "/") if "@" in a else a for a in arguments]

    def run(self, arguments, prefix=(), stdin=subprocess.DEVNULL, **how):
        """`microvm ARGUMENTS`, perhaps through another program; a hang ends as a report of it."""
        command = [*prefix, self.microvm, *self.expand(arguments)]
        environment = dict(self.environment, **how.pop("environment", {}))
        process = subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment,
                                   start_new_session=True, **how)
        try:
            out, err = process.communicate(timeout=PATIENCE)
            report = []
        except subprocess.TimeoutExpired:
            self.kill_leftovers()
            out, err = process.communicate()
            report = [f"timeout {PATIENCE} s"]
        return Outcome(process.returncode, out.decode(errors="replace"), err.decode(errors="replace"), report)

    def inject(self, arguments, number=0, programs=None, kills=False, **how):
        """The same, in which system call `number` fails, or kills whoever makes it."""
        path = self.path("tmp/.report")
        prefix = [os.path.join(self.bin, "inject"), "-n", str(number), "-t", str(PATIENCE - 10), "-o", path]
        if programs:
            prefix += ["-p", programs]
        if kills:
            prefix += ["-k"]
        outcome = self.run(arguments, [*prefix, "--"], **how)
        with open(path, encoding="utf-8") as file:
            outcome.report += file.read().splitlines()
        os.unlink(path)
        outcome.status = None
        for line in outcome.report:
            key, _, value = line.partition(" ")
            if key == "status":
                outcome.status = int(value)
            elif key == "signal":
                outcome.status = -int(value)
        return outcome

    # ---- allocations

    def set_allocation(self, number):
        with open(self.allocations, "wb") as file:
            file.write((0).to_bytes(8, "little") + number.to_bytes(8, "little") + bytes(48))

    def take_allocations(self):
        """How many there were, and in which program one failed."""
        with open(self.allocations, "rb") as file:
            data = file.read()
        os.unlink(self.allocations)
        return int.from_bytes(data[:8], "little"), data[16:].rstrip(b"\0").decode()

    # ---- what is left

    def processes(self):
        """Those that carry this world in their environment or arguments."""
        found = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            if int(pid) == os.getpid():
                continue
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    line = file.read()
                with open(f"/proc/{pid}/environ", "rb") as file:
                    text = line + file.read()
            except OSError:
                continue
            if self.dir.encode() in text:
                found[int(pid)] = line.replace(b"\0", b" ").decode(errors="replace")
        return found

    def kill_leftovers(self):
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.others_groups |= set(self.cgroups())  # told once

    def loop_devices(self):
        found = []
        for name in os.listdir("/sys/block"):
            try:
                with open(f"/sys/block/{name}/loop/backing_file", encoding="utf-8", errors="replace") as file:
                    if self.dir in file.read():
                        found.append(name)
            except OSError:
                pass
        return found

    @staticmethod
    def cgroups():
        """Groups of containers that hold nothing; one that is in use may be another world's."""
        found = []
        for top, folders, _ in os.walk("/sys/fs/cgroup"):
            for name in folders:
                if not name.startswith("microvm-"):
                    continue
                try:
                    with open(os.path.join(top, name, "cgroup.procs"), encoding="utf-8", errors="replace") as file:
                        if not file.read():
                            found.append(os.path.join(top, name))
                except OSError:
                    pass
        return found

    def leftovers(self):
        """One line for each thing that should not be there."""
        left = [f"process {pid}: {line}" for pid, line in self.processes().items()]
        left += [f"in the runtime directory: {name}" for name in os.listdir(self.path("run")) if name != ".lock"]
        left += [f"in TMPDIR: {name}" for name in os.listdir(self.path("tmp"))]
        left += [f"loop device {name}" for name in self.loop_devices()]
        left += [f"cgroup {path}" for path in self.cgroups() if path not in self.others_groups]
        with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
            left += [f"mount {line.split()[4]}" for line in file if self.dir in line]
        return left

    def store_problems(self):
        """What is wrong with the store: it must always hold what it held, whole, and nothing half made."""
        problems = []
        store = self.path("store")
        with open(os.path.join(store, "index.json"), encoding="utf-8") as file:
            index = json.load(file)
        names = [m["annotations"]["org.opencontainers.image.ref.name"] for m in index["manifests"]
                 if m.get("annotations", {}).get("org.opencontainers.image.ref.name")]
        wanted, roots = set(), set()
        for manifest in index["manifests"]:
            digest = manifest["digest"].partition(":")[2]
            wanted.add(digest)
            try:
                with open(os.path.join(store, "blobs/sha256", digest), encoding="utf-8") as file:
                    document = json.load(file)
                config = document["config"]["digest"].partition(":")[2]
                wanted |= {config} | {layer["digest"].partition(":")[2] for layer in document["layers"]}
                roots.add(config)
            except OSError as error:
                problems.append(f"store: {error}")
        for config in roots:
            if not os.path.exists(os.path.join(store, "roots", config + ".squashfs")):
                problems.append(f"store: no root of {config}")
        for name in os.listdir(os.path.join(store, "tmp")):
            problems.append(f"store: tmp/{name}")
        for name in os.listdir(os.path.join(store, "blobs/sha256")):
            if name not in wanted:
                problems.append(f"store: blob {name} belongs to nothing")
        for name in os.listdir(os.path.join(store, "roots")):
            if name.partition(".")[0] not in roots:
                problems.append(f"store: roots/{name} belongs to nothing")
        if not any("busybox" in name for name in names):
            problems.append(f"store: the image is lost; it has {names}")
        return problems

    def after(self, next_command=("image", "prune")):
        """What the next command finds, and cannot clean up."""
        deadline = time.monotonic() + GONE_WAIT
        while True:
            sweep = self.run(next_command)
            problems = self.leftovers()
            if not problems or time.monotonic() > deadline:
                break
            time.sleep(0.1)
        if sweep.status != 0:
            problems.append(f"the next command fails: {sweep.err.strip()}")
        return problems + self.store_problems()


def check_outcome(outcome, plain, killed=False):
    """What is wrong with how a command ended; `plain` is how it ends undisturbed. Whoever ends as well has the same output."""
    problems = []
    for line in outcome.report:
        key = line.partition(" ")[0]
        if key in ("timeout", "died", "left"):
            problems.append({"timeout": "hangs: ", "died": "a process died of a signal: ", "left": "outlives the command: "}[key] +
                            line.partition(" ")[2])
    if outcome.status is None:
        return problems or ["no status"]
    if killed and outcome.status == -signal.SIGKILL:
        return problems
    if outcome.status < 0:
        problems.append(f"ended by signal {-outcome.status}")
    elif outcome.status in (0, plain.status):
        told = any(line.startswith(CLEAR) for line in outcome.err.splitlines())
        if plain.out is not None and outcome.out != plain.out and not (told and outcome.status):
            problems.append(f"status {outcome.status}, and its output differs: {outcome.out!r} {outcome.err!r}")
    elif not any(line.startswith(CLEAR) or LOADER in line for line in outcome.err.splitlines()):
        problems.append(f"status {outcome.status} without a message of microvm: {outcome.err!r}")
    elif sum(line.startswith(CLEAR) for line in outcome.err.splitlines()) > 2:
        problems.append(f"more than one message: {outcome.err!r}")
    return problems
