# shellcheck shell=bash disable=SC2016,SC2154 # inner shells' variables; what lib/case.sh sets
# SPDX-License-Identifier: Apache-2.0
# The exit status is docker's: the command's own, 128+N for a signal, 125 to 127 for what never ran.

case_the_commands_own_status() {
    local code
    for code in 0 1 3 125 126 127 128 255; do
        try run_busybox sh -c "exit $code"
        expect_status "$code"
        expect_out ''
        expect_err ''
    done
}

case_death_by_signal_is_128_and_its_number() {
    # Process 1 of a PID namespace receives no signal without a handler, so a child dies instead where needed.
    try run_busybox sh -c 'kill -KILL $$; sleep 1; sh -c "kill -TERM \$\$"; exit $?'
    expect_status 143
    try run_busybox sh -c 'sh -c "kill -SEGV \$\$"; exit $?'
    expect_status 139
}

case_out_of_memory_is_137() {
    local hog='[bytearray(b"x") * (1 << 20) for i in range(1 << 20)]'
    try microvm run -m 96m debian python3 -c "$hog"
    expect_status 137
    # The kernel kills the process that uses the memory, not the shell.
    try microvm run -m 96m debian sh -c "python3 -c '$hog'; echo ended with \$?"
    expect_status 0
    expect_line 'ended with 137'
}

case_a_command_that_is_nowhere_is_127() {
    try run_busybox no-such-command
    expect_failure 127 'no-such-command'
    try run_busybox /no/such/file
    expect_failure 127 '/no/such/file'
}

case_a_command_that_cannot_be_executed_is_126() {
    try run_busybox /etc/passwd
    expect_failure 126 '/etc/passwd'
    try run_busybox /etc
    expect_failure 126 '/etc'
}

case_output_before_the_end_is_never_lost() {
    local i
    # The last output of a container races with its end.
    for i in 1 2 3 4 5; do
        try run_busybox sh -c 'i=0; while [ $i -lt 2000 ]; do echo "line $i"; i=$((i+1)); done; exit 9'
        expect_status 9
        expect_equal "$(wc -l <"$out")" 2000 "lines, in run $i"
        expect_equal "$(tail -n 1 "$out")" 'line 1999'
    done
}

case_orphans_die_with_the_command() {
    # Background processes of a container end with its first process, and do not keep its output open.
    try run_busybox sh -c 'sleep 1000 & (trap "" TERM HUP; sleep 1000) & echo started; exit 2'
    expect_status 2
    expect_out started
}
