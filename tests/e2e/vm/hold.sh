# shellcheck shell=bash disable=SC2016,SC2154 # inner shells' variables; what lib/case.sh sets
# SPDX-License-Identifier: Apache-2.0
# Nothing blocks a monitor: a guest that keeps its disk busy, a system call that does not return (here: SIGSTOP, which
# looks the same from outside), and a process that waits for it. Also what its threads must not have, and no core dump.

kernel=$(realpath "$E2E_BUILD/vmlinux")

# holding WORD: boots a guest that does WORD to a sparse disk forever; then $pid and $monitor.
holding() {
    truncate -s 64G "$scratch/disk"
    start "$MICROVM" boot --kernel "$kernel" --initrd "$E2E_WORK/initrd-shell.cpio" -m 256m --disk "$scratch/disk" \
        --cmdline "console=hvc0 panic=-1 quiet $1"
    wait_for_output "$2"
    monitor=$(supervisor_of "$pid")
}

# No warning that it had to be killed: it ended by itself.
case_a_guest_that_keeps_its_disk_busy_is_stopped() {
    local monitor
    holding test.hold=vda holding
    kill -TERM "$pid"
    finish
    expect_status 143
    expect_err ''
    is_gone "$monitor"
}

case_and_dies_with_its_client() {
    local monitor
    holding test.hold=vda holding
    kill -KILL "$pid"
    finish
    wait_for is_gone "$monitor"
    microvm run busybox true # removes the leftovers
}

case_a_monitor_that_does_not_come_back_dies_with_its_client() {
    local monitor
    holding test.end=wait waiting
    kill -STOP "$monitor"
    kill -KILL "$pid"
    finish
    wait_for is_gone "$monitor"
    start "$MICROVM" run busybox sh -c 'echo running; sleep 1000'
    wait_for_output running
    monitor=$(supervisor_of "$pid")
    kill -STOP "$monitor"
    kill -KILL "$pid"
    finish
    wait_for is_gone "$monitor"
    microvm run busybox true
}

case_a_monitor_that_does_not_come_back_is_killed_and_that_is_said() {
    local monitor
    holding test.end=wait waiting
    kill -STOP "$monitor"
    kill -TERM "$pid"
    finish
    expect_status 143
    expect_err_match "^microvm: warning: the monitor, process $monitor, did not end in time and was killed\$"
    is_gone "$monitor"
}

case_no_thread_of_a_monitor_has_a_capability() {
    local monitor task set
    holding test.end=wait waiting
    (($(find "/proc/$monitor/task" -mindepth 1 -maxdepth 1 | wc -l) >= 2)) || fail "where is the vCPU's thread?"
    for task in "/proc/$monitor/task"/*; do
        for set in CapInh CapPrm CapEff CapAmb; do
            expect_equal "$(sed -n "s/^$set:\t//p" "$task/status")" 0000000000000000 "$set of $task"
        done
        expect_equal "$(sed -n 's/^NoNewPrivs:\t//p' "$task/status")" 1 "no_new_privs of $task"
        expect_equal "$(sed -n 's/^Seccomp:\t//p' "$task/status")" 2 "seccomp of $task"
    done
    kill -TERM "$pid"
    finish
}

case_no_core_dump_holds_guest_memory() {
    local monitor first rest size=0 seen=0
    ulimit -c unlimited
    holding test.end=wait waiting
    expect_equal "$(sed -n 's/^Max core file size *\([0-9a-z]*\) *\([0-9a-z]*\) .*/\1 \2/p' "/proc/$monitor/limits")" '0 0'
    # The mapping of 256 MiB, or its parts: none may be in a dump.
    while read -r first rest; do
        if [[ $first =~ ^([0-9a-f]+)-([0-9a-f]+)$ ]]; then
            size=$((16#${BASH_REMATCH[2]} - 16#${BASH_REMATCH[1]}))
        elif [[ $first == VmFlags: ]] && ((size >= 16 << 20)); then
            seen=$((seen + 1))
            [[ " $rest " == *' dd '* ]] || fail "$size bytes of guest memory would be dumped"
        fi
    done <"/proc/$monitor/smaps"
    ((seen > 0)) || fail "no guest memory found"
    # From outside, process 1 of a namespace receives this signal and those that it handles.
    kill -SEGV "$monitor"
    sleep 1
    kill -KILL "$monitor"
    finish
    expect_status 125
    expect_err_match '^microvm: .*signal 9'
    [[ -z $(find "$scratch" . -maxdepth 1 -name 'core*' -newer "$scratch/disk") ]] || fail "a core file"
}
