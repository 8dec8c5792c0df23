# shellcheck shell=bash disable=SC2016,SC2154 # inner shells' variables; what lib/case.sh sets
# SPDX-License-Identifier: Apache-2.0
# Signals to `microvm run` reach the container's first process, as under docker.

case_every_signal_reaches_a_handler() {
    local name
    # shellcheck disable=SC2016 # the container's variables
    start "$MICROVM" run busybox sh -c '
        for name in INT HUP QUIT TERM; do trap "echo got $name" $name; done
        trap "echo got TERM; exit 7" TERM
        echo ready
        while :; do sleep 0.1; done'
    wait_for_output ready
    for name in INT HUP QUIT TERM; do
        kill "-$name" "$pid"
        wait_for_output "got $name"
    done
    finish
    expect_status 7
}

case_an_exec_form_entry_point_sees_sigterm() {
    start "$MICROVM" run app
    wait_for_output serving
    kill -TERM "$pid"
    finish
    expect_status 3
    expect_match '^stopping on SIGTERM$'
}

case_a_shell_form_one_does_not() {
    local ticks
    # sh is process 1, has no handler and is immune to SIGTERM; its child never receives it.
    start "$MICROVM" run --entrypoint /bin/sh app -c 'python3 app.py; echo "shell saw $?"'
    wait_for_output serving
    wait_for_output tick
    kill -TERM "$pid"
    ticks=$(grep -c tick "$out")
    wait_for more_ticks_than $((ticks + 5))
    ! grep stopping "$out"
    is_alive "$pid"
    kill -KILL "$pid"
    finish
    expect_status 137
    wait_for no_monitor
    microvm image ls >/dev/null
    microvm run busybox true
}

more_ticks_than() {
    (($(grep -c tick "$out") > $1))
}

no_monitor() {
    # A monitor holds the lock of its instance, even if the directory is gone.
    [[ -z $(find /proc/[0-9]*/fd -lname "$MICROVM_RUNTIME/*" 2>/dev/null) ]]
}

case_ctrl_c_without_terminal_ends_as_under_docker() {
    # python has a handler for SIGINT: KeyboardInterrupt, then death by SIGINT.
    start "$MICROVM" run app
    wait_for_output serving
    kill -INT "$pid"
    finish
    expect_status 130
    expect_err_match KeyboardInterrupt
}

case_a_signal_at_any_step_of_the_start_ends_it_or_is_delivered() {
    local delay
    # shellcheck disable=SC2016 # the container's
    for delay in 0.02 0.1 0.3 0.6 1.2; do
        start "$MICROVM" run busybox sh -c 'trap "exit 9" TERM; echo ready; while :; do sleep 0.1; done'
        sleep "$delay"
        kill -TERM "$pid"
        # Between the start of the shell and its trap the signal is lost, as under docker: send it again.
        wait_for ended_or_ready
        kill -TERM "$pid" 2>/dev/null || true
        finish
        [[ $status == 9 || $status == 143 || $status == 125 ]] || fail "status $status after a signal at $delay s"
    done
}

ended_or_ready() {
    is_gone "$pid" || grep ready "$out" >/dev/null
}
