# shellcheck shell=bash disable=SC2016,SC2154 # inner shells' variables; what lib/case.sh sets
# SPDX-License-Identifier: Apache-2.0
# Limits of memory, processors, processes and the writable layer, as the container experiences them.

case_two_processors_work_at_once() {
    try microvm run --cpus 2 busybox sh -c 'nproc; grep -c ^processor /proc/cpuinfo
        i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done & i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; wait; echo both'
    expect_status 0
    expect_equal "$(cat "$out")" $'2\n2\nboth'
}

case_parts_of_a_processor() {
    local quota='cat /sys/fs/cgroup/cpu.max 2>/dev/null || paste -d " " /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu/cpu.cfs_period_us'
    try microvm run --cpus 0.5 busybox sh -c "$quota"
    expect_status 0
    expect_out '50000 100000'
    try microvm run --cpus 1.5 busybox sh -c "$quota"
    expect_out '150000 100000'
}

case_a_writable_layer_on_a_disk() {
    local before
    before=$(find "$MICROVM_STORE" -newer "$err" | wc -l)
    # More than the memory holds fits on the disk, what does not fit is refused, and the next run starts with an empty layer.
    try microvm run -m 128m --disk 300m busybox sh -c '
        df -k / | awk "NR == 2 { print \$2 }"; dd if=/dev/zero of=/big bs=1M count=200 2>/dev/null && ls -l /big | awk "{ print \$5 }"
        dd if=/dev/zero of=/more bs=1M count=200 2>&1 | grep -o "No space left on device"; echo x >/etc/passwd && cat /etc/passwd'
    expect_status 0
    expect_at_most "$(sed -n 1p "$out")" $((300 * 1024)) 'size in KiB'
    expect_at_most $((250 * 1024)) "$(sed -n 1p "$out")" 'least size in KiB'
    expect_equal "$(sed -n '2,$p' "$out")" $'209715200\nNo space left on device\nx'
    try microvm run --disk 300m busybox ls /big
    expect_status 1
    expect_equal "$(find "$MICROVM_STORE" -newer "$err" | wc -l)" "$before" 'files in the store'
}

case_many_processes() {
    try microvm run busybox sh -c 'i=0; while [ $i -lt 200 ]; do sleep 1000 & i=$((i+1)); done; jobs -p | wc -l; exit 3'
    expect_status 3
    expect_out 200
}

case_too_many_processes_are_refused() {
    try microvm run --pids-limit 20 busybox sh -c 'i=0; while [ $i -lt 40 ]; do sleep 1000 & i=$((i+1)); done; echo all'
    expect_status 2
    expect_out ''
    expect_err_match "can't fork"
}

case_a_memory_hog_is_killed() {
    # The shell survives, in a container with limited memory as in a small VM.
    try microvm run -m 128m busybox sh -c 'tail /dev/zero; echo $?'
    expect_status 0
    expect_out 137
}
