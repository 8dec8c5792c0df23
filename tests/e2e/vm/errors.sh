# shellcheck shell=bash disable=SC2016,SC2154 # inner shells' variables; what lib/case.sh sets
# SPDX-License-Identifier: Apache-2.0
# When a run fails, one clear line says why, with status 125.

case_no_kvm() {
    try in_private_mounts 'mkdir "$1/dev"; mount -t tmpfs dev "$1/dev"; cp -a /dev/null /dev/zero /dev/urandom "$1/dev"
        mount --bind "$1/dev" /dev; exec "$MICROVM" run busybox true' - "$scratch"
    expect_failure 125 '/dev/kvm'
}

case_no_permission_on_kvm() {
    mkdir -m 777 "$scratch/run"
    try as_nobody env MICROVM_RUNTIME="$scratch/run" "$MICROVM" run busybox true
    expect_failure 125 '/dev/kvm.*(ermission|group)'
    expect_equal "$(find "$scratch/run" -mindepth 1 -type d)" ''
}

case_a_kvm_that_is_none() {
    try in_private_mounts 'mount --bind /dev/null /dev/kvm; exec "$MICROVM" run busybox true'
    expect_failure 125 '/dev/kvm'
}

case_unknown_images() {
    try microvm run no-such-image
    expect_failure 125 'no-such-image'
    try microvm run busybox:no-such-tag
    expect_failure 125 'busybox:no-such-tag'
    try microvm run /no/such/path
    expect_failure 125 '/no/such/path'
    try microvm run 'Not A Reference'
    expect_failure 125 'Not A Reference'
}

case_unknown_user() {
    try microvm run -u stranger busybox true
    expect_failure 125 stranger
    try microvm run -u app:strangers busybox true
    expect_failure 125 strangers
}

case_numbers_that_are_none() {
    local value
    for value in 12Q -5 '' 99999999999999999999g 1.5.5; do
        try microvm run -m "$value" busybox true
        expect_failure 125 '(-m|--memory)'
    done
    for value in 0 -1 two 1e3 ''; do
        try microvm run --cpus "$value" busybox true
        expect_failure 125 '--cpus'
    done
    try microvm run --disk 12Q busybox true
    expect_failure 125 '--disk'
}

case_more_processors_than_kvm_allows() {
    try microvm run --cpus 65 busybox true
    expect_failure 125 '--cpus.*(64|most)|65'
    try microvm run --cpus 100000 busybox true
    expect_failure 125 '--cpus'
}

case_memory_too_small_to_boot() {
    local size
    for size in 1k 1m 8m 16m 24m; do
        try microvm run -m "$size" busybox true
        expect_status 125
        expect_err_match '^microvm: .*(memory|-m)'
    done
}

case_more_memory_than_there_is_address_space() {
    try microvm run -m 100000g busybox true
    expect_failure 125 'memory|-m'
}

case_a_kernel_that_is_none() {
    local file=$scratch/kernel
    try microvm run --kernel /no/such/kernel busybox true
    expect_failure 125 /no/such/kernel
    : >"$file"
    try microvm run --kernel "$file" busybox true
    expect_failure 125 "$file"
    head -c 1M /dev/zero >"$file"
    try microvm run --kernel "$file" busybox true
    expect_failure 125 "$file"
    echo 'int main(void) { return 0; }' | gcc -x c -o "$scratch/program" -
    try microvm run --kernel "$scratch/program" busybox true
    expect_failure 125 "$scratch/program"
    head -c 100000 "$E2E_BUILD/vmlinux" >"$file"
    try microvm run --kernel "$file" busybox true
    expect_failure 125 "$file"
    try microvm run --kernel /etc busybox true
    expect_failure 125 /etc
    try microvm boot --kernel "$E2E_BUILD/vmlinux" --initrd /no/such/initrd
    expect_failure 125 /no/such/initrd
    try microvm boot --kernel "$E2E_BUILD/vmlinux" --disk /no/such/disk
    expect_failure 125 /no/such/disk
}

case_a_corrupted_packed_kernel() {
    "$E2E_TOP/tests/e2e/programs/pack-kernel" gzip "$E2E_BUILD/vmlinux" "$scratch/bzImage"
    dd if=/dev/zero of="$scratch/bzImage" bs=1 seek=1000000 count=64 conv=notrunc status=none
    try microvm boot --kernel "$scratch/bzImage"
    expect_failure 125 "$scratch/bzImage"
    head -c 1000000 "$scratch/bzImage" >"$scratch/short"
    try microvm boot --kernel "$scratch/short"
    expect_failure 125 "$scratch/short"
}

case_options_that_are_none() {
    try microvm run --no-such-option busybox
    expect_failure 125 no-such-option
    try microvm run
    expect_status 125
    expect_err_match '^microvm: '
    try microvm run --tmpfs relative busybox true
    expect_failure 125 tmpfs
    try microvm run -w relative busybox true
    expect_failure 125 relative
    try microvm run -e =x busybox true
    expect_failure 125 '-e|=x'
    try microvm run --env-file /no/such/file busybox true
    expect_failure 125 /no/such/file
    try microvm run --name '../up' busybox true
    expect_failure 125 '\.\./up'
    try microvm run --hostname 'no host' busybox true
    expect_failure 125 'no host'
    try microvm boot operand
    expect_failure 125 "unexpected argument"
}

case_no_command_to_run() {
    try microvm run --entrypoint '' busybox
    expect_failure 125 'command'
}

case_a_container_that_crun_refuses() {
    # A working directory that is a file: only the runtime detects it, so its own message is shown.
    try microvm run -w /etc/passwd busybox true
    [[ $status == 125 || $status == 126 || $status == 127 ]] || fail "status $status"
    expect_equal "$(wc -l <"$err")" 1 'lines of standard error'
    expect_err_match '^microvm: .*(/etc/passwd|ot a directory)'
}

case_the_disk_is_full_while_running() {
    # The file of --disk is sparse, and the host's file system has no space for what the container writes.
    try in_private_mounts 'mkdir "$1/run"; mount -t tmpfs -o size=20m run "$1/run"; status=0
        MICROVM_RUNTIME=$1/run "$MICROVM" run --disk 200m busybox sh -c "dd if=/dev/zero of=/big bs=1M count=100 2>&1; sync; echo alive" || status=$?
        [[ -z $(ls "$1/run") ]] || exit 99; exit "$status"' - "$scratch"
    [[ $status == 0 || $status == 125 ]] || fail "status $status"
    cat "$out" "$err" >"$scratch/both"
    grep -qiE 'error|no space|read-only' "$scratch/both"
}

case_no_room_for_the_instance() {
    try in_private_mounts 'mkdir "$1/run"; mount -t tmpfs -o size=16k,nr_inodes=4 run "$1/run"
        MICROVM_RUNTIME=$1/run exec "$MICROVM" run busybox true' - "$scratch"
    expect_failure 125 "$scratch/run"
}

case_a_stored_image_gone_bad() {
    local digest
    cp -r "$MICROVM_STORE" "$scratch/store"
    export MICROVM_STORE=$scratch/store
    digest=$(jq -r '.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == "busybox:latest").digest' "$MICROVM_STORE/index.json")
    echo ' ' >>"$MICROVM_STORE/blobs/sha256/${digest#sha256:}"
    try microvm run busybox true
    expect_failure 125 "${digest:7:12}|digest"
    rm "$MICROVM_STORE/blobs/sha256/${digest#sha256:}"
    try microvm run busybox true
    expect_failure 125 "${digest:7:12}|busybox"
    rm -r "$MICROVM_STORE/roots"
    try microvm run debian true
    expect_failure 125 'debian|root'
}

case_few_open_files_and_small_files() {
    try bash -c 'ulimit -n 16; exec "$MICROVM" run busybox true'
    expect_failure 125 'only 16 open files are allowed.*ulimit -n'
    try bash -c 'ulimit -n 64; exec "$MICROVM" run busybox sh -c "ulimit -n"'
    expect_status 0
    expect_out 1048576
    try bash -o pipefail -c '(ulimit -f 0; exec "$MICROVM" run busybox true) 2>&1 | cat >&2'
    expect_failure 125 'File too large \(ulimit -f\)'
    try bash -c 'ulimit -f 1000; exec "$MICROVM" run --disk 100m busybox true'
    expect_failure 125 '--disk.*File too large \(ulimit -f\)'
}

case_names_that_are_not_utf8() {
    try microvm run --kernel $'/no/\xff' busybox true
    expect_failure 125 '/no/\?'
    ln -s "$E2E_BUILD/vmlinux" "$scratch/"$'\xff'
    try microvm boot --kernel "$scratch/"$'\xff'
    expect_failure 125 'kernel: byte 0xff'
    try microvm boot --initrd "$E2E_WORK/initrd-shell.cpio" --cmdline $'x=\xff'
    expect_failure 125 '--cmdline: byte 0xff at offset 2'
    try microvm run busybox echo $'\xff'
    expect_failure 125 'argument 1 of the command: byte 0xff'
}
