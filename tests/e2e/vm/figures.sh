# shellcheck shell=bash disable=SC2016,SC2154 # inner shells' variables; what lib/case.sh sets
# SPDX-License-Identifier: Apache-2.0
# The promised counts: exits, system calls, private memory. (Times belong to `make bench`.)

case_at_most_500_exits_until_init() {
    try microvm run "--timeline=json:$scratch/run.json" --disk 100m busybox true
    expect_status 0
    jq . "$scratch/run.json"
    expect_at_most "$(jq '.counts.init.exits' "$scratch/run.json")" 500 'exits until init, run'
}

case_at_most_160_system_calls_before_the_first_entry() {
    local calls
    start strace -f -s 256 -o "$scratch/trace" "$MICROVM" boot --kernel "$E2E_BUILD/vmlinux" -m 128m \
        --initrd "$E2E_WORK/initrd-shell.cpio" --cmdline 'console=hvc0 panic=-1 quiet test.end=0'
    finish
    expect_status 0
    # From the monitor's first instruction, in all of its threads, until the first KVM_RUN of any. Its threads are those that
    # come later; clone(2) returns ids of the monitor's own PID namespace.
    calls=$(awk '
        / execve\(.*"__monitor"/ { ours = $1; next }
        !ours { clients[$1] = 1; next }
        ($1 != ours && $1 in clients) || / resumed>/ { next }
        /KVM_RUN/ { print count; exit }
        { count++ }' "$scratch/trace")
    [[ -n $calls ]] || fail "no KVM_RUN of a monitor in the trace"
    expect_at_most "$calls" 160 'system calls of the monitor before its first KVM_RUN'
    ((calls > 20)) || fail "only $calls system calls: the count must be wrong"
}

case_at_most_2_mib_of_private_memory() {
    local monitor kib
    start "$MICROVM" boot --kernel "$E2E_BUILD/vmlinux" -m 128m --initrd "$E2E_WORK/initrd-shell.cpio" \
        --cmdline 'console=hvc0 panic=-1 quiet test.end=wait'
    wait_for_output waiting
    monitor=$(supervisor_of "$pid")
    # All mappings except the guest's memory, which is the one range of 128 MiB (several mappings if files are part of it).
    kib=$("$E2E_TOP/tests/e2e/programs/private-memory" "$monitor" 128)
    kill -TERM "$pid"
    finish
    expect_at_most "$kib" 2048 'private memory of the monitor in KiB'
    ((kib > 50)) || fail "only $kib KiB: the count must be wrong"
}

# By default Linux reads 128 KiB around each page that a program touches, which is most programs as a whole.
case_a_third_of_a_program_is_not_read() {
    local sectors size
    try microvm run busybox sh -c 'read -r _ _ sectors _ </sys/block/vda/stat; read -r size </sys/block/vda/size; echo $sectors $size'
    expect_status 0
    read -r sectors size <"$out"
    expect_at_most "$sectors" $((size * 2 / 3)) "sectors read, of $size"
    ((sectors > 100)) || fail "only $sectors sectors: the count must be wrong"
}
