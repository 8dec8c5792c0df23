# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What a case left behind. Everything it starts carries its directory in the environment or among its arguments.

# leftovers_processes DIR: the ids of processes started with DIR in their environment or arguments.
leftovers_processes() {
    local id
    for id in $(cd /proc && env -u E2E_CASE_DIR grep -lasF -- "$1/" [0-9]*/environ [0-9]*/cmdline | cut -d/ -f1 | sort -un); do
        # The processes that made the list have ended; this shell is not a leftover.
        [[ $id != "$$" && $id != "$BASHPID" && -d /proc/$id ]] && echo "$id"
    done
}

# leftovers_list DIR: prints what is left, one line each; fails when there is something.
leftovers_list() {
    local dir=$1 id found=0
    for id in $(leftovers_processes "$dir"); do
        printf 'process %s: %s\n' "$id" "$(tr '\0' ' ' <"/proc/$id/cmdline")" && found=1
    done 2>/dev/null
    ! grep -F " $dir/" /proc/self/mountinfo || found=1
    if [[ -d $dir/run ]]; then
        ! find "$dir/run" -mindepth 1 ! -path "$dir/run/.lock" | grep . || found=1
    fi
    ! find "$dir/tmp" -mindepth 1 | grep . || found=1
    ! find /sys/fs/cgroup -mindepth 2 -path "*/e2e${dir//\//-}/*" -type d 2>/dev/null | grep . || found=1
    return "$found"
}

# leftovers_remove DIR: so that the next case begins clean.
leftovers_remove() {
    local id
    for id in $(leftovers_processes "$1"); do
        kill -KILL "$id" 2>/dev/null || true
    done
    rm -rf "$1/run" "$1/tmp"
    find /sys/fs/cgroup -depth -path "*/e2e${1//\//-}*" -type d -exec rmdir {} + 2>/dev/null || true
}
