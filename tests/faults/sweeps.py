# SPDX-License-Identifier: Apache-2.0
"""The sweeps: each yields cases, which are names and functions that return what is wrong with their outcome."""
import os
import random
import shutil

from world import check_outcome

# NAME: arguments, whether the output is always the same, whether the store changes.
# "@" is the world's directory, "@image" the image's.
COMMANDS = {
    "image-ls": (["image", "ls"], True, False),
    "image-inspect": (["image", "inspect", "busybox"], True, False),
    "image-load": (["image", "load", "-t", "second", "@root.tar"], True, True),
    "image-load-layout": (["image", "load", "-t", "second", "@image"], True, True),
    "image-rm": (["image", "rm", "busybox"], False, True),
    "image-tag": (["image", "tag", "busybox", "third"], True, True),
    "doctor": (["doctor"], False, False),
    "run-container": (["run", "--isolation=container", "busybox", "echo", "hello"], True, False),
    "boot": (["boot", "--kernel", "@kernel", "-m", "64m"], True, False),
    "run-machine": (["run", "-m", "64m", "--kernel", "@kernel", "busybox", "true"], True, False),
}

# These remove what the others need.
REMOVES = {"image-rm"}


def sample(total, count):
    """`count` numbers of 1 to `total`, evenly spread and shifted at random, or all."""
    if count is None or count >= total:
        return range(1, total + 1)
    step = total / count
    shift = random.uniform(0, step)
    return sorted({1 + int(shift + i * step) % total for i in range(count)})


def finish(world, name, outcome, plain, problems):
    _, _, changes = COMMANDS[name]
    world.effects += outcome.disturbed or (outcome.status, outcome.err) != (plain.status, plain.err)
    problems += world.after()
    if name in REMOVES:
        problems = [p for p in problems if "the image is lost" not in p]
    if changes or problems:
        world.kill_leftovers()
        world.reset()
    return problems


def calls(world, name, count, kills=False, programs=None):
    """The Nth system call fails, or kills the process that makes it."""
    arguments, same, changes = COMMANDS[name]
    plain = world.inject(arguments, 0, programs)
    if changes:
        world.reset()
    problems = check_outcome(plain, plain)
    if problems:
        yield "undisturbed", lambda: problems
        return
    if not same:
        plain.out = None
    total = int(next(line for line in plain.report if line.startswith("calls ")).split()[1])
    for number in sample(total, count):
        def one(number=number):
            outcome = world.inject(arguments, number, programs, kills)
            injected = next((line for line in outcome.report if line.startswith("injected ")), "nothing injected")
            outcome.disturbed = injected != "nothing injected"
            wrong = check_outcome(outcome, plain, kills)
            return [f"{injected}: {problem}" for problem in finish(world, name, outcome, plain, wrong)]
        yield f"{number} of {total}", one


def allocations(world, name, count):
    """The Nth allocation fails."""
    arguments, same, changes = COMMANDS[name]
    world.set_allocation(0)
    plain = world.run(arguments)
    total, _ = world.take_allocations()
    if not same:
        plain.out = None
    if changes:
        world.reset()
    for number in sample(total, count):
        def one(number=number):
            world.set_allocation(number)
            outcome = world.run(arguments)
            _, where = world.take_allocations()
            outcome.disturbed = where != ""
            wrong = check_outcome(outcome, plain)
            return [f"in {where}: {problem}" for problem in finish(world, name, outcome, plain, wrong)]
        yield f"{number} of {total}", one


def descriptors(world, name, count):
    """Few descriptors, and standard streams that are closed."""
    arguments, same, changes = COMMANDS[name]
    plain = world.run(arguments)
    plain.out = plain.out if same else None
    if changes:
        world.reset()
    limits = list(range(3, 25 if count else 41))
    for limit in limits:
        def one(limit=limit):
            outcome = world.run(arguments, ["prlimit", f"--nofile={limit}:{limit}", "--"])
            return finish(world, name, outcome, plain, check_outcome(outcome, plain))
        yield f"limit {limit}", one
    for closed in ("0", "1", "2", "01", "02", "12", "012"):
        def two(closed=closed):
            script = 'exec "$@" ' + " ".join(f"{fd}{'<' if fd == '0' else '>'}&-" for fd in closed)
            outcome = world.run(arguments, ["sh", "-c", script, "sh"])
            wrong = []
            # Output to a closed stream does not matter; other output must be complete.
            if "2" not in closed or outcome.status == 0:
                outcome.out = outcome.out if "1" not in closed else plain.out
                wrong = check_outcome(outcome, plain)
            elif outcome.status < 0:
                wrong = [f"ended by signal {-outcome.status}"]
            return finish(world, name, outcome, plain, wrong)
        yield f"closed {closed}", two


# A separate file system for one directory, with its content and PAGES free pages. Its final state is on standard error.
SMALL = """
set -e; dir=$0 pages=$1 files=$2; shift 2
mount -t tmpfs -o mode=700,nr_inodes=100000 none "$dir.small"
cp -a "$dir/." "$dir.small/"
used=$(df -k --output=used "$dir.small" | tail -n 1)
size=$((used + 4 * pages))
inodes=$(($(df --output=iused "$dir.small" | tail -n 1) + files))
mount -o "remount,size=$((size > 0 ? size : 4))k,nr_inodes=$inodes" "$dir.small" # a size of 0 means no limit
mount --move "$dir.small" "$dir"
set +e; "$@"; status=$?
cp -a "$dir/." "$dir.small/"
exit $status
"""


def full(world, name, count):
    """A file system that gets full under each directory that is written to, at every stage."""
    arguments, same, changes = COMMANDS[name]
    plain = world.run(arguments)
    plain.out = plain.out if same else None
    if changes:
        world.reset()
    for place in ("store", "tmp") if name.startswith("image") else ("run", "tmp"):
        # Free pages of 4 KiB: from none to enough. What is made in the runtime directory has hardly any: so few files, too.
        enough = 300 if name == "image-load" and place == "store" else 20
        for pages in [0, *sample(enough, count)]:
            files = pages if place == "run" else 100000
            def one(place=place, pages=pages, files=files):
                directory = world.path(place)
                os.mkdir(directory + ".small")
                outcome = world.run(arguments, ["unshare", "--mount", "--propagation", "private", "sh", "-c", SMALL, directory,
                                                str(pages), str(files)])
                if place == "store":  # check what the command has left there
                    shutil.rmtree(directory)
                    os.rename(directory + ".small", directory)
                else:
                    shutil.rmtree(directory + ".small")
                return finish(world, name, outcome, plain, check_outcome(outcome, plain))
            yield f"{place}, {pages} free pages", one
