# shellcheck shell=bash disable=SC2016,SC2154 # inner shells' variables; what lib/case.sh sets
# SPDX-License-Identifier: Apache-2.0
# `microvm boot`: a bare kernel with the caller's initramfs, without image or container.

kernel=$(realpath "$E2E_BUILD/vmlinux")

words='console=hvc0 panic=-1 quiet' # every command line here begins with these

boot() {
    microvm boot --kernel "$kernel" --initrd "$E2E_WORK/initrd-shell.cpio" "$@"
}

case_the_status_comes_through_the_doorbell() {
    try boot -m 128m --cmdline "$words test.end=42"
    expect_status 42
    expect_match '^cpus=1'
    expect_match 'cmdline=.*test.end=42'
}

case_processors() {
    local count
    for count in 1 2 4; do
        try boot --cpus "$count"
        expect_status 0
        expect_match "^cpus=$count"
    done
}

case_several_disks_are_read_and_written() {
    truncate -s 1M "$scratch/one"
    truncate -s 3M "$scratch/two"
    echo 'from the host' | dd of="$scratch/two" conv=notrunc status=none
    try boot --disk "$scratch/one" --disk "$scratch/two" --cmdline "$words test.write=vda test.read=vdb"
    expect_status 0
    expect_match '^disk=vda sectors=2048 ro=0'
    expect_match '^disk=vdb sectors=6144 ro=0'
    expect_match '^read=from the host'
    expect_equal "$(head -n 1 "$scratch/one")" written
}

case_a_disk_read_only() {
    truncate -s 1M "$scratch/one"
    chmod 444 "$scratch/one"
    try boot --disk "$scratch/one:ro" --cmdline "$words test.write=vda"
    expect_status 0
    expect_match '^disk=vda sectors=2048 ro=1'
    expect_equal "$(tr -d '\0' <"$scratch/one" | wc -c)" 0
}

case_the_console_takes_input() {
    mkfifo "$scratch/keys"
    exec 7<>"$scratch/keys"
    start "$MICROVM" boot --kernel "$kernel" --initrd "$E2E_WORK/initrd-shell.cpio" --cmdline "$words test.echo" <&7
    wait_for_output '^say:'
    echo 'a line typed' >&7
    finish
    exec 7>&-
    expect_status 0
    expect_match '^heard=a line typed'
}

case_a_restart_ends_the_machine() {
    try boot --cmdline "$words test.end=reboot"
    expect_status 125
    expect_err_match '^microvm: .*re(set|start|boot)'
}

case_a_panic_shows_the_last_lines() {
    try microvm boot --kernel "$kernel" --initrd "$E2E_WORK/initrd-panic.cpio"
    expect_status 125
    expect_err_match '^microvm: .*panic'
    cat "$out" "$err" >"$scratch/both"
    grep -q 'Attempted to kill init' "$scratch/both"
    try boot --cmdline "$words test.end=panic"
    expect_status 125
    expect_err_match '^microvm: .*panic'
}

case_no_root_at_all_is_a_panic() {
    try microvm boot --kernel "$kernel" --cmdline "$words"
    expect_status 125
    expect_err_match '^microvm: .*panic'
    cat "$out" "$err" >"$scratch/both"
    grep -q 'Unable to mount root fs' "$scratch/both"
}

case_early_console_on_request() {
    try boot --earlycon --cmdline 'console=hvc0 panic=-1 test.end=0'
    expect_status 0
    cat "$out" "$err" >"$scratch/both"
    grep -q 'Linux version' "$scratch/both"
}

case_packed_kernels() {
    local name packed=$scratch/bzImage
    for name in gzip lz4 zstd xz; do
        "$E2E_TOP/tests/e2e/programs/pack-kernel" "$name" "$kernel" "$packed"
        try microvm boot --kernel "$packed" --initrd "$E2E_WORK/initrd-shell.cpio" --cmdline "$words test.end=7"
        expect_status 7
    done
}

case_a_real_bzimage_of_the_distribution() {
    # Debian's own kernel is modular and reads no device tree, so it finds no console; this tests the loader.
    start "$MICROVM" boot --earlycon --kernel "$E2E_WORK/distribution-bzImage" -m 512m
    wait_for_output 'Linux version 6\.' "$out"
    kill -TERM "$pid"
    finish
}

case_ctrl_c_stops_a_machine_without_terminal() {
    start "$MICROVM" boot --kernel "$kernel" --initrd "$E2E_WORK/initrd-shell.cpio" --cmdline "$words test.end=wait"
    wait_for_output waiting
    kill -INT "$pid"
    finish
    [[ $status != 0 ]]
}

case_a_compressed_initrd_that_the_kernel_cannot_unpack() {
    gzip -c "$E2E_WORK/initrd-shell.cpio" >"$scratch/initrd.gz"
    try microvm boot --kernel "$kernel" --initrd "$scratch/initrd.gz" --cmdline "$words"
    expect_status 125
    expect_err_match '^microvm: .*panic.*gzip.*uncompressed'
}
