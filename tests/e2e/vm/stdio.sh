# shellcheck shell=bash disable=SC2016,SC2154 # inner shells' variables; what lib/case.sh sets
# SPDX-License-Identifier: Apache-2.0
# Standard streams: separate, exact to the byte, with end of file, in bounded memory.
# limit: 600 s a case, for the long pipes under emulation

case_output_and_errors_stay_apart() {
    try run_busybox sh -c 'echo to-out; echo to-err >&2; printf no-newline'
    expect_status 0
    expect_equal "$(cat "$out")" $'to-out\nno-newline'
    expect_err to-err
}

case_every_byte_value_passes() {
    local i
    for ((i = 0; i < 256; i++)); do
        # shellcheck disable=SC2059 # the format is the byte
        printf "\\x$(printf %02x "$i")"
    done >"$scratch/bytes"
    try microvm run -i busybox sh -c 'tee /dev/stderr' <"$scratch/bytes"
    expect_status 0
    cmp "$scratch/bytes" "$out"
    cmp "$scratch/bytes" "$err"
}

case_input_ends_where_it_ends() {
    try microvm run -i busybox sh -c 'wc -c; echo after' < <(printf 12345)
    expect_status 0
    expect_equal "$(tr -d ' ' <"$out")" $'5\nafter'
}

case_without_i_the_input_is_empty_and_stays_unread() {
    printf 'first\nsecond\n' >"$scratch/lines"
    {
        try microvm run busybox sh -c 'wc -c'
        read -r rest
    } <"$scratch/lines"
    expect_status 0
    expect_equal "$(tr -d ' ' <"$out")" 0
    expect_equal "$rest" first "the line left in standard input"
}

case_a_command_that_does_not_read_does_not_wait_for_input() {
    # The input never ends, but the command does.
    mkfifo "$scratch/never"
    exec 7<>"$scratch/never"
    try microvm run -i busybox echo finished <&7
    exec 7>&-
    expect_status 0
    expect_out finished
}

case_a_closed_output_ends_the_writer() {
    # `yes` gets SIGPIPE (or EPIPE), as under docker, and the pipe's reader has had its lines.
    start bash -c '"$MICROVM" run busybox yes | head -n 3'
    finish
    expect_status 0
    expect_equal "$(cat "$out")" $'y\ny\ny'
}

case_output_that_cannot_be_written_is_a_failure() {
    try bash -c '"$MICROVM" run busybox echo lost >/dev/full'
    expect_status 125
    expect_err "microvm: cannot write the command's output: No space left on device"
}

case_closed_standard_streams_harm_nothing() {
    status=0
    microvm run busybox sh -c 'echo text; exit 4' >&- 2>"$err" </dev/null || status=$?
    [[ $status == 4 || $status == 125 ]] || fail "with a closed output: status $status"
    status=0
    microvm run -i busybox sh -c 'wc -c; exit 5' >"$out" 2>"$err" <&- || status=$?
    [[ $status == 5 || $status == 125 ]] || fail "with a closed input: status $status"
}

case_256_mib_through_a_pipe_and_back() {
    local noise=$E2E_WORK/noise sum i
    sum=$(for i in 1 2 3 4; do cat "$noise"; done | sha256sum)
    # shellcheck disable=SC2034
    start bash -c 'for i in 1 2 3 4; do cat "$1"; done | "$MICROVM" run -i busybox cat | sha256sum' - "$noise"
    finish
    expect_status 0
    expect_out "$sum"
}

case_both_outputs_flood_at_once() {
    try microvm run -i busybox sh -c 'tee /dev/stderr' <"$E2E_WORK/noise"
    expect_status 0
    cmp "$E2E_WORK/noise" "$out"
    cmp "$E2E_WORK/noise" "$err"
}

# private_kib PID…: private memory of client and monitor together, without the guest's.
private_kib() {
    local id sum=0
    for id; do
        sum=$((sum + $("$E2E_TOP/tests/e2e/programs/private-memory" "$id" 512)))
    done
    echo "$sum"
}

case_a_reader_that_stops_costs_no_memory() {
    local monitor before
    mkfifo "$scratch/slow"
    exec 7<>"$scratch/slow"
    "$MICROVM" run -m 512m busybox sh -c 'echo begun >&2; exec cat /dev/zero' >"$scratch/slow" 2>"$err" &
    pid=$!
    wait_for_output begun "$err"
    monitor=$(supervisor_of "$pid")
    before=$(private_kib "$pid" "$monitor")
    # Write and read much, then read nothing for as long as the writer makes progress.
    head -c 32M <&7 >/dev/null
    wait_for is_stuck "$monitor"
    expect_at_most $(($(private_kib "$pid" "$monitor") - before)) 2048 "growth in KiB"
    kill -KILL "$pid"
    exec 7>&-
    wait "$pid" || true
    pid=
    wait_for is_gone "$monitor"
    microvm run busybox true
}

# is_stuck PID: the process makes no progress: it uses no processor time within a second.
is_stuck() {
    local before
    before=$(cut -d' ' -f14,15 "/proc/$1/stat")
    sleep 1
    [[ $(cut -d' ' -f14,15 "/proc/$1/stat") == "$before" ]]
}
