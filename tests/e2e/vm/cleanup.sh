# shellcheck shell=bash disable=SC2016,SC2154 # inner shells' variables; what lib/case.sh sets
# SPDX-License-Identifier: Apache-2.0
# Nothing is left behind, however a run ends. (That holds for every case of every theme; these are the violent ends.)
# limit: 1800 s a case, for a hundred boots under emulation

case_one_hundred_runs_in_a_row() {
    local i before
    before=$(system_state)
    for ((i = 1; i <= 100; i++)); do
        try run_busybox echo "run $i"
        expect_status 0
        expect_out "run $i"
        expect_err ''
        expect_equal "$(instances)" 0 "instances after run $i"
    done
    expect_equal "$(system_state)" "$before" 'the state of the system'
}

# These only grow when something leaks: mounts, processes of the program, sockets bound to paths.
system_state() {
    grep -c . /proc/self/mountinfo
    pgrep -fc -- "$MICROVM_RUNTIME" || true
    grep -c -- "$MICROVM_RUNTIME" /proc/net/unix || true
}

instances() {
    find "$MICROVM_RUNTIME" -mindepth 1 -maxdepth 1 -type d | wc -l
}

begin() {
    start "$MICROVM" run --name "$1" busybox sh -c 'echo running; sleep 1000'
    wait_for_output running
    monitor=$(supervisor_of "$pid")
}

case_kill_9_of_the_client() {
    local monitor
    begin victim
    kill -KILL "$pid"
    finish
    expect_status 137
    # The monitor detects that its last client is gone, and ends by itself.
    wait_for is_gone "$monitor"
    try run_busybox true
    expect_status 0
    expect_equal "$(instances)" 0 instances
}

case_kill_9_of_the_monitor() {
    local monitor
    begin victim
    kill -KILL "$monitor"
    finish
    expect_status 125
    expect_err_match '^microvm: .*'
    expect_equal "$(wc -l <"$err")" 1 'lines of standard error'
    expect_equal "$(instances)" 0 instances
}

case_kill_9_of_both() {
    local monitor
    begin victim
    kill -KILL "$pid" "$monitor"
    finish
    wait_for is_gone "$monitor"
    # The next command cleans up what nobody could, and the name is free.
    try microvm run --name victim busybox true
    expect_status 0
    expect_equal "$(instances)" 0 instances
}

case_another_command_leaves_living_ones_alone() {
    local monitor first
    begin first
    first=$pid
    try microvm run --name second busybox echo second
    expect_status 0
    try microvm image ls
    expect_status 0
    is_alive "$first"
    test -d "$MICROVM_RUNTIME/first"
    kill -KILL "$first"
    wait "$first" || true
    pid=
    wait_for is_gone "$monitor"
    microvm run busybox true
}

case_two_runs_of_one_name() {
    local monitor first
    begin same
    first=$pid
    try microvm run --name same busybox true
    expect_failure 125 same
    is_alive "$first"
    kill -KILL "$first"
    wait "$first" || true
    pid=
    wait_for is_gone "$monitor"
    try microvm run --name same busybox true
    expect_status 0
}

case_kill_9_at_any_moment_of_the_start() {
    local delay
    for delay in 0.01 0.03 0.1 0.3 0.6; do
        start "$MICROVM" run busybox sleep 1000
        sleep "$delay"
        kill -KILL "$pid" 2>/dev/null || true
        finish
    done
    wait_for no_monitor
    microvm run busybox true
    expect_equal "$(instances)" 0 instances
}

no_monitor() {
    # A monitor holds the lock of its instance, even if the directory is gone.
    [[ -z $(find /proc/[0-9]*/fd -lname "$MICROVM_RUNTIME/*" 2>/dev/null) ]]
}
