# shellcheck shell=bash disable=SC2016,SC2154 # inner shells' variables; what lib/case.sh sets
# SPDX-License-Identifier: Apache-2.0
# A host that lacks something, and unusual environments: each ends in one clear line, or has no effect.

run_here() {
    "$MICROVM" run --isolation=container "$@"
}

case_no_null_device() {
    local command
    for command in 'run --isolation=container busybox true' 'image ls' 'image load busybox.tar' 'compare busybox' 'boot' 'doctor'; do
        # shellcheck disable=SC2086 # words
        try in_private_mounts 'mount -t tmpfs dev /dev; exec "$MICROVM" "$@"' - $command
        expect_failure 125 '/dev/null: No such file or directory; .*mknod'
    done
    try in_private_mounts 'mount --bind "$1" /dev/null; exec "$MICROVM" image ls' - "$out"
    expect_status 125
    # None of it is needed here.
    try in_private_mounts 'mount -t tmpfs dev /dev; exec "$MICROVM" version'
    expect_status 0
    # With a closed stream it is needed, and cannot be opened.
    try in_private_mounts 'mount -t tmpfs dev /dev; exec "$MICROVM" version <&-'
    expect_failure 125 'standard stream is closed.*/dev/null'
}

case_no_proc() {
    local command
    for command in 'run --isolation=container busybox true' 'run busybox true' 'image ls' 'image load busybox.tar' 'compare busybox' 'boot' 'doctor'; do
        # shellcheck disable=SC2086 # words
        try in_private_mounts 'umount -l /proc; exec "$MICROVM" "$@"' - $command
        expect_failure 125 '/proc is not mounted'
    done
}

case_closed_standard_streams() {
    local status=0
    run_here busybox echo hi <&- 2>&- >"$out" || status=$?
    expect_equal "$status $(cat "$out")" '0 hi'
    run_here busybox sh -c 'echo hi >&2' <&- >&- 2>"$err" || status=$?
    expect_equal "$status $(cat "$err")" '0 hi'
    run_here busybox true <&- >&- 2>&-
    microvm image ls >"$out" <&- 2>&-
    expect_match '^busybox'
}

case_few_open_files() {
    local count command
    for count in 4 16 40 63; do
        for command in 'run --isolation=container busybox true' "image load -q -t few $E2E_WORK/images/busybox"; do
            # shellcheck disable=SC2086 # words
            try bash -c 'ulimit -n "$0"; exec "$MICROVM" "$@"' "$count" $command
            expect_failure 125 "only $count open files are allowed.*ulimit -n"
        done
    done
    # A soft limit is raised, and 64 are enough.
    try bash -c 'ulimit -Sn 16; exec "$MICROVM" run --isolation=container busybox echo ran'
    expect_out ran
    try bash -c 'ulimit -n 64; exec "$MICROVM" run --isolation=container busybox sh -c "ulimit -n"'
    expect_status 0
}

case_a_limit_of_file_sizes() {
    local size
    # The output goes through a pipe to a process without the limit, because its file would be limited too.
    for size in 0 100; do
        try bash -o pipefail -c '(ulimit -f "$0"; MICROVM_STORE=$1 exec "$MICROVM" image load -q -t small "$E2E_WORK/images/debian") 2>&1 | cat >&2' \
            "$size" "$scratch/store"
        expect_failure 125 'File too large'
        [[ ! -d $scratch/store/tmp || -z $(ls -A "$scratch/store/tmp") ]] || fail "left in the store: $(ls -AR "$scratch/store/tmp")"
    done
    try bash -o pipefail -c '(ulimit -f 0; exec "$MICROVM" run --isolation=container busybox true) 2>&1 | cat >&2'
    expect_failure 125 'File too large \(ulimit -f\)'
    # A soft limit is only the caller's; the container has none.
    try bash -c 'ulimit -Sf 100; exec "$MICROVM" run --isolation=container busybox sh -c "dd if=/dev/zero of=/big bs=1M count=2 2>/dev/null; stat -c %s /big"'
    expect_out 2097152
}

case_names_with_newlines_and_other_bytes() {
    local name
    for name in $'new\nline' $'not\xffutf8'; do
        mkdir "$scratch/$name"
        try env MICROVM_RUNTIME="$scratch/$name" "$MICROVM" run --isolation=container busybox true
        expect_failure 125 'runtime directory.*(newline|UTF-8)'
        expect_equal "$(find "$scratch/$name" -mindepth 1 -type d)" '' 'instances'
        # A disk needs no name, a store and a variable may have any; a runtime's path is not JSON.
        TMPDIR=$scratch/$name try run_here --disk 20m busybox echo ran
        expect_out ran
        try env HOME="$scratch/$name" XDG_DATA_HOME="$scratch/$name" LC_ALL="$name" "$MICROVM" run --isolation=container busybox echo ran
        expect_out ran
        MICROVM_STORE=$scratch/$name/store microvm image load -q -t x "$E2E_WORK/images/busybox"
        MICROVM_STORE=$scratch/$name/store try run_here x echo ran
        expect_out ran
        MICROVM_STORE=$scratch/$name/store try microvm image inspect x
        expect_status 0
        jq -e '.[0].GraphDriver.Data.Path' "$out" >/dev/null || fail 'that is no JSON'
    done
    cp "$E2E_BUILD/crun" "$scratch/"$'new\nline/crun'
    try run_here --runtime "$scratch/"$'new\nline/crun' busybox true
    expect_failure 125 'runtime program: .*newline'
    try env MICROVM_CRUN="$scratch/"$'new\nline/crun' "$MICROVM" run --isolation=container busybox true
    expect_failure 125 'runtime program: .*newline'
}

case_bytes_that_are_not_utf8_are_refused_by_name() {
    try run_here busybox echo fine $'caf\xe9'
    expect_failure 125 'argument 2 of the command: byte 0xe9 at offset 3'
    try run_here -e $'NAME=\xff' busybox true
    expect_failure 125 'environment variable NAME: byte 0xff'
    TAKEN=$'\xff' try run_here -e TAKEN busybox true
    expect_failure 125 'environment variable TAKEN: byte 0xff'
    printf 'LATIN=caf\xe9\n' >"$scratch/env"
    try run_here --env-file "$scratch/env" busybox true
    expect_failure 125 'environment variable LATIN: byte 0xe9'
    try run_here -w $'/\xff' busybox true
    expect_failure 125 'working directory: byte 0xff'
    try run_here --tmpfs $'/\xff' busybox true
    expect_failure 125 'tmpfs: byte 0xff'
    try run_here -u $'caf\xe9' busybox true
    expect_failure 125 'unable to find user'
    # UTF-8 arrives unchanged.
    try run_here -e 'NAME=grüße 🙂' busybox sh -c 'echo "$NAME $1"' - 'é'
    expect_out 'grüße 🙂 é'
}

case_a_runtime_that_is_no_runtime() {
    printf 'echo no interpreter line\n' >"$scratch/bare"
    printf '#!/no/such/interpreter\n' >"$scratch/lost"
    printf '#!/bin/sh\nkill -SEGV $$\n' >"$scratch/crash"
    printf '#!/bin/sh\necho "{" >&2; exit 3\n' >"$scratch/noise"
    cp "$E2E_BUILD/crun" "$scratch/mode"
    chmod 755 "$scratch"/{bare,lost,crash,noise}
    chmod 644 "$scratch/mode"
    try run_here --runtime "$scratch/mode" busybox true
    expect_failure 125 "--runtime: $scratch/mode is not an executable"
    try run_here --runtime "$scratch/bare" busybox true
    expect_failure 125 "cannot start the runtime $scratch/bare: Exec format error"
    try run_here --runtime "$scratch/lost" busybox true
    expect_failure 125 "cannot start the runtime $scratch/lost: No such file"
    try run_here --runtime "$scratch/crash" busybox true
    expect_failure 125 "the runtime $scratch/crash ended without a message \(signal 11, Segmentation fault\)"
    try run_here --runtime "$scratch/noise" busybox true
    expect_failure 125 '\{'
    try run_here --runtime /bin/true busybox true
    expect_failure 125 'the runtime /.*bin/true did not start a container; is it an OCI runtime'
    try run_here --runtime /bin/false busybox true
    expect_failure 125 'the runtime /.*bin/false ended without a message \(status 1\)'
    try run_here --runtime /bin/cat busybox true
    expect_failure 125 'unrecognized option'
}

case_more_memory_than_there_is() {
    local size
    for size in 1t 8191t 100000g; do
        try microvm boot --kernel "$E2E_BUILD/microvm-init" -m "$size"
        expect_failure 125 '--memory: [0-9]+ MiB is more than twice the [0-9]+ MiB'
    done
}

case_dates_nobody_made_images_at() {
    local created
    export MICROVM_STORE=$scratch/store
    cp -r "$E2E_WORK/images/busybox" "$scratch/layout"
    for created in 0001-01-01T00:00:00Z 1903-05-01T00:00:00Z 9999-12-31T23:59:59Z nonsense; do
        "$E2E_TOP/tests/e2e/programs/set-config" "$scratch/layout" ".created = \"$created\""
        microvm image load -q -t dated "$scratch/layout"
        try microvm image ls
        expect_status 0
        expect_match '^dated .* (N/A|in the future) '
    done
}

case_no_place_for_anything() {
    try as_nobody env -i PATH="$PATH" "$MICROVM" image load "$E2E_WORK/images/busybox"
    expect_failure 125 'no place for the image store: set HOME or MICROVM_STORE'
    try as_nobody env -i PATH="$PATH" HOME=/nonexistent "$MICROVM" image load "$E2E_WORK/images/busybox"
    expect_failure 125 'image store /nonexistent/.local/share/microvm: cannot create /nonexistent: Permission denied'
    try as_nobody env -i PATH="$PATH" MICROVM_STORE="$MICROVM_STORE" XDG_RUNTIME_DIR=/nonexistent "$MICROVM" run --isolation=container busybox true
    expect_err_match 'runtime directory /nonexistent/microvm: cannot make it'
    mkdir "$scratch/tmp"
    try in_private_mounts 'mount -t tmpfs -o ro tmp "$1/tmp"; TMPDIR=$1/tmp exec "$MICROVM" run --isolation=container --disk 20m busybox true' - "$scratch"
    expect_failure 125 "--disk: cannot make a file in $scratch/tmp: Read-only file system"
    try in_private_mounts 'mount -t tmpfs -o ro tmp "$1/tmp"; MICROVM_RUNTIME=$1/tmp/run exec "$MICROVM" run --isolation=container busybox true' - "$scratch"
    expect_failure 125 "runtime directory $scratch/tmp/run: cannot make it: Read-only file system"
}

case_a_store_that_is_read_only_serves_its_images() {
    mkdir "$scratch/store"
    try in_private_mounts 'mount --bind "$MICROVM_STORE" "$1"; mount -o remount,ro,bind "$1"; MICROVM_STORE=$1 exec "$MICROVM" run --isolation=container busybox echo ran' - "$scratch/store"
    expect_status 0
    expect_out ran
    try in_private_mounts 'mount --bind "$MICROVM_STORE" "$1"; mount -o remount,ro,bind "$1"; MICROVM_STORE=$1 exec "$MICROVM" image load -t x "$E2E_WORK/images/busybox"' - "$scratch/store"
    expect_failure 125 "image store $scratch/store: lock: Read-only file system"
}

case_a_full_runtime_directory() {
    local size
    mkdir "$scratch/run"
    for size in 4k 8k 12k 16k 24k; do
        try in_private_mounts 'mount -t tmpfs -o mode=700,size="$2" run "$1"; status=0; MICROVM_RUNTIME=$1 "$MICROVM" run --isolation=container busybox true || status=$?
            [[ -z $(ls "$1") ]] || exit 99; exit "$status"' - "$scratch/run" "$size"
        [[ $status == 0 ]] || expect_failure 125 "$scratch/run.*No space left|No space left"
    done
}
