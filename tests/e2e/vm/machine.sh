# shellcheck shell=bash disable=SC2016,SC2154 # inner shells' variables; what lib/case.sh sets
# SPDX-License-Identifier: Apache-2.0
# What only a VM shows: its memory and processors, and what happens when they are used up.

case_memory() {
    local total
    try microvm run -m 160m busybox sed -n 's/^MemTotal: *\([0-9]*\).*/\1/p' /proc/meminfo
    expect_status 0
    total=$(<"$out")
    expect_at_most "$total" $((160 * 1024)) 'MemTotal in KiB'
    expect_at_most $((120 * 1024)) "$total" 'least MemTotal in KiB'
    try microvm run -m 4g busybox sed -n 's/^MemTotal: *\([0-9]*\).*/\1/p' /proc/meminfo
    expect_at_most $((3800 * 1024)) "$(<"$out")" 'least MemTotal in KiB of a machine with memory above the hole'
}

case_processors() {
    try microvm run debian python3 -c 'import os; print(os.cpu_count())'
    expect_out 1
    try microvm run --cpus 1.5 busybox nproc
    expect_out 2
}

case_a_full_writable_layer_in_memory_ends_no_machine() {
    try microvm run -m 128m busybox sh -c 'dd if=/dev/zero of=/big bs=1M count=500 2>&1 | grep -o "No space left on device"; rm /big; echo alive'
    expect_status 0
    expect_equal "$(cat "$out")" $'No space left on device\nalive'
}

case_a_timer_fires() {
    try microvm run busybox sh -c 'sleep 1; echo awake'
    expect_status 0
    expect_out awake
}
