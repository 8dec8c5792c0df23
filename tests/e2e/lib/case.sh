# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# The functions that cases use. A new shell for each case sources this, and then the theme.
#
#   try COMMAND…          runs it; then $status, and its output in the files $out and $err
#   expect_…              checks on that, each of which ends the case when it does not hold
#   start COMMAND…        runs it in the background; then $pid; output in $out and $err; `finish` waits for it
#   wait_for CHECK…       waits for an event instead of for a time
#
# $MICROVM is the program. Images in the store: busybox and debian (with python3 and what tests/e2e/prepare adds).
# $scratch is an empty directory for the case. Whatever a case starts must be gone when it returns.
set -euo pipefail

E2E_TOP=$PWD
MICROVM=$E2E_BUILD/microvm
scratch=$E2E_CASE_DIR/scratch
out=$scratch/.out
err=$scratch/.err
status=0
pid=

export MICROVM_STORE=$E2E_WORK/store
export MICROVM_RUNTIME=$E2E_CASE_DIR/run
export TMPDIR=$E2E_CASE_DIR/tmp
export E2E_TOP MICROVM
unset MICROVM_KERNEL MICROVM_INITRAMFS MICROVM_IMPORT

# In themes named container-…, which are the same files again, every run is a container on the host.
if [[ $E2E_THEME == container-* ]]; then
    # shellcheck disable=SC2016 # the wrapper's
    printf '#!/bin/sh\ncase $1 in run) shift; exec %q run --isolation=container --cgroup-parent=%q "$@" ;; esac\nexec %q "$@"\n' \
        "$MICROVM" "/e2e${E2E_CASE_DIR//\//-}" "$MICROVM" >"$E2E_CASE_DIR/microvm"
    chmod 755 "$E2E_CASE_DIR/microvm"
    MICROVM=$E2E_CASE_DIR/microvm
fi
: >"$out"
: >"$err"

# How long an event may take. Emulation is slow and the host may be busy, so this does not measure speed.
E2E_PATIENCE=${E2E_PATIENCE:-60}

fail() {
    echo "failed: $*"
    show_output
    exit 1
}

show_output() {
    printf 'status: %s\n' "$status"
    echo "standard output:" && head -c 4000 "$out" | cat -v
    echo "standard error:" && head -c 4000 "$err" | cat -v
}

# Shows where a command of a case fails that no expectation checks.
trap 'echo "failed: line $LINENO of ${BASH_SOURCE[0]##*/}: $BASH_COMMAND"; show_output' ERR
set -E

try() {
    status=0
    "$@" >"$out" 2>"$err" || status=$?
}

microvm() {
    "$MICROVM" "$@"
}

# busybox ARGUMENT…: `microvm run` of the busybox image, for cases whose options do not matter.
run_busybox() {
    "$MICROVM" run busybox "$@"
}

# start COMMAND…: in the background, with the signals of a command typed by a person (bash ignores SIGINT for background jobs).
# Standard input is that of the case; `start COMMAND <FILE` gives another.
start() {
    : >"$out"
    : >"$err"
    env --default-signal=INT,QUIT -- "$@" >"$out" 2>"$err" <&0 &
    pid=$!
}

# Waits for what `start` began; then $status.
finish() {
    status=0
    wait "$pid" || status=$?
    pid=
}

# wait_for COMMAND…: until it succeeds; the case fails when that does not happen.
wait_for() {
    local deadline=$((SECONDS + E2E_PATIENCE))
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < deadline)) || fail "waited $E2E_PATIENCE s in vain for: $*"
        sleep 0.1
    done
}

# wait_for_output REGEX [FILE]: until a line of what `start` began matches.
wait_for_output() {
    local deadline=$((SECONDS + E2E_PATIENCE))
    until grep -qE -- "$1" "${2:-$out}"; do
        if [[ -n $pid ]] && ! is_alive "$pid"; then
            grep -qE -- "$1" "${2:-$out}" || fail "ended before it said: $1"
            return
        fi
        ((SECONDS < deadline)) || fail "waited $E2E_PATIENCE s in vain for output: $1"
        sleep 0.1
    done
}

# is_alive PID: neither gone nor a zombie.
is_alive() {
    local state
    state=$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null) && [[ -n $state && $state != [ZX] ]]
}

is_gone() {
    ! is_alive "$1"
}

# supervisor_of PID: the id of the process that supervises what this client started: its monitor, or the container's init.
supervisor_of() {
    local child children
    children=$(cat "/proc/$1"/task/*/children)
    for child in $children; do
        if tr '\0' '\n' <"/proc/$child/cmdline" | grep -xe __monitor -e --host >/dev/null; then
            echo "$child"
            return
        fi
    done
    return 1
}

expect_status() {
    [[ $status == "$1" ]] || fail "status $status instead of $1"
}

# expect_out TEXT: standard output is TEXT and a newline, or nothing when TEXT is empty.
expect_out() {
    local expected=$scratch/.expected
    if [[ -n $1 ]]; then printf '%s\n' "$1"; fi >"$expected"
    cmp -s "$expected" "$out" || fail "standard output differs from: $1"
}

expect_err() {
    local expected=$scratch/.expected
    if [[ -n $1 ]]; then printf '%s\n' "$1"; fi >"$expected"
    cmp -s "$expected" "$err" || fail "standard error differs from: $1"
}

expect_line() {
    grep -qxF -- "$1" "$out" || fail "no line of standard output is: $1"
}

expect_match() {
    grep -qE -- "$1" "$out" || fail "no line of standard output matches: $1"
}

expect_err_match() {
    grep -qE -- "$1" "$err" || fail "no line of standard error matches: $1"
}

# expect_failure STATUS REGEX: the command failed with one clear line on standard error, and nothing else.
expect_failure() {
    expect_status "$1"
    [[ ! -s $out ]] || fail "a failure wrote to standard output"
    [[ $(wc -l <"$err") == 1 ]] || fail "not one line on standard error"
    expect_err_match '^microvm: '
    expect_err_match "$2"
}

# expect_equal ACTUAL EXPECTED [WHAT]
expect_equal() {
    [[ $1 == "$2" ]] || fail "${3:-value} is '$1' instead of '$2'"
}

# expect_at_most ACTUAL LIMIT WHAT
expect_at_most() {
    echo "$3: $1 (at most $2)"
    (($1 <= $2)) || fail "$3 is $1, more than $2"
}

# in_private_mounts SCRIPT [ARGUMENT]…: a bash script in a mount namespace of its own.
in_private_mounts() {
    # shellcheck disable=SC2016 # the inner shell's
    unshare --mount --propagation private bash -euo pipefail -c "$@"
}

# $scratch/fuse: /dev/fuse for everybody, as udev makes it; on a host without udev it is only for root.
make_fuse_device() {
    [[ -e $scratch/fuse ]] || mknod -m 666 "$scratch/fuse" c 10 229
}

# as_nobody COMMAND…: without any of root's privileges.
as_nobody() {
    make_fuse_device
    # shellcheck disable=SC2016 # the inner shell's
    in_private_mounts '
        [[ ! -e /dev/fuse ]] || mount --bind "$0" /dev/fuse
        exec setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all -- "$@"' "$scratch/fuse" "$@"
}
