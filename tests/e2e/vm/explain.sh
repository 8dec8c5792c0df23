# shellcheck shell=bash disable=SC2016,SC2154 # inner shells' variables; what lib/case.sh sets
# SPDX-License-Identifier: Apache-2.0
# --explain shows what happened underneath: the VM's exit statistics, the system calls, the descriptor chains.

# row LABEL N: column N after the label of a row of the exit statistics on standard error.
row() {
    sed -n "/^exits to the monitor/,\$ s/^ *$1  *//p" "$err" | awk -v n="$2" 'NR == 1 { print $n }'
}

case_the_exit_statistics_are_the_counts_of_the_same_run() {
    local file=$scratch/run.json device
    try microvm run --explain "--timeline=json:$file" --disk 100m busybox sh -c 'echo hello; exit 3'
    expect_status 3
    expect_out hello
    expect_equal "$(row 'KVM_EXIT_IO: an I\/O port' 1)" "$(jq '.counts.end["exits.port"]' "$file")" 'port exits'
    expect_equal "$(row 'KVM_EXIT_MMIO: a register in memory' 1)" "$(jq '.counts.end["exits.mmio"]' "$file")" 'MMIO exits'
    expect_equal "$(row all 1)" "$(jq '.counts.end.exits' "$file")" 'all exits'
    expect_equal "$(row doorbell 2)" "$(jq '.counts.end["doorbell.writes"]' "$file")" 'doorbell calls'
    expect_equal "$(row 'vsock tx' 1)" "$(jq '.counts.end["vsock.tx.kicks"]' "$file")" 'kicks'
    # The register groups add up to a device's accesses, the queues to its kicks.
    for device in console block0 block1 entropy vsock; do
        jq -e --arg device "$device" '.counts.end as $all
            | def parts(suffix): [$all | to_entries[] | select(.key | test("^" + $device + "\\.[a-z]+\\." + suffix + "$")) | .value] | add // 0;
            parts("reads") == $all[$device + ".reads"] and parts("writes") == $all[$device + ".writes"]
            and parts("kicks") == $all[$device + ".kicks"] and $all[$device + ".reads"] > 0' "$file" || fail "$device: parts are not the whole"
    done
    # Every MMIO exit is an access of some device.
    jq -e '.counts.end | .["exits.mmio"] == ([to_entries[] | select(.key | test("^(console|block[01]|entropy|vsock)\\.(reads|writes)$")) | .value] | add) + .["unclaimed.mmio"]' "$file"
}

case_a_plain_run_takes_no_times() {
    try microvm run "--timeline=json:$scratch/run.json" busybox true
    expect_status 0
    expect_err ''
    jq -e '[.counts.end | keys[] | select(endswith(".ns"))] == []' "$scratch/run.json"
}

case_other_values_are_refused() {
    try microvm run --explain=later busybox true
    expect_failure 125 "^microvm: --explain: 'later' "
}

case_the_live_trace_shows_a_write() {
    try microvm run --explain=live busybox printf hello
    expect_status 0
    expect_equal "$(<"$out")" hello
    expect_err_match '^ +[0-9]+\.[0-9]{3} ms  vsock tx: VIRTIO_VSOCK_OP_RW \(5\), from 3:[0-9]+ to 2:1026, payload 5,'
    expect_err_match ' ms  vsock transport: Status: 0x0f ACKNOWLEDGE DRIVER FEATURES_OK DRIVER_OK$'
    expect_err_match ' ms  block requestq: VIRTIO_BLK_T_IN \(0\), sector 0, [0-9]+ bytes: VIRTIO_BLK_S_OK$'
    expect_err_match ' ms  doorbell \(port 0xd00\): write of 0x00000101 = mark 1 "init"$'
    expect_err_match ' ms  doorbell \(port 0xd00\): write of 0x00000002 = exit with status 0$'
    # The payload is the length of a descriptor of the same chain, and every chain taken is used at the end.
    grep -B 3 'to 2:1026, payload 5,' "$err" | grep -E 'descriptor: address 0x[0-9a-f]+, length 5, device-readable$'
    expect_equal "$(grep -c 'vsock tx: takes chain' "$err")" "$(grep -c 'vsock tx: used: ' "$err")" 'chains taken and used'
    ! grep -E ' lines dropped' "$err"
    # There are as many notifications as the exit statistics below have counted.
    expect_equal "$(grep -c 'block requestq: used buffer notification: interrupt' "$err")" "$(row 'block requestq' 6)" 'interrupts shown and counted'
}

case_an_unread_trace_does_not_stop_the_guest() {
    local reader
    mkfifo "$scratch/trace"
    exec 3<>"$scratch/trace" # neither end waits for the other
    start bash -c 'exec "$MICROVM" run --explain=live busybox head -c 16m /dev/zero 2>"$1"' - "$scratch/trace"
    wait_for all_has_come
    cat <&3 >"$scratch/read" &
    reader=$!
    finish
    kill "$reader"
    expect_status 0
    grep -E '^trace: [0-9]+ lines dropped, not read in time$' "$scratch/read"
    grep 'KVM_EXIT_IO' "$scratch/read"
}

all_has_come() {
    (($(stat -c %s "$out") == 16777216))
}

# Deterministic: it creates no process, so there is no race between parent and child.
counted='i=0; while [ $i -lt 25 ]; do kill -0 $$; i=$((i + 1)); done; cd /nowhere 2>/dev/null; exit 5'

# counts_of FILE…: lines "name calls errors" of the table of system calls, sorted.
counts_of() {
    sed -n '/^system calls of the container/,/^  all /p' "$1" | awk '/^  [a-z]/ && $1 != "all" { print $1, $2, $3 }' | sort
}

case_system_calls_are_those_that_strace_sees() {
    try microvm run --explain --user 0 busybox busybox sh -c "$counted"
    expect_status 5
    counts_of "$err" >"$scratch/ours"
    # The same static program, on the host, under another tracer; its counts exclude calls that never return.
    env -i HOME=/root HOSTNAME=box PATH=/bin strace -f -c -U name,calls,errors -o "$scratch/strace" "$(command -v busybox)" sh -c "$counted" || true
    awk '$2 ~ /^[0-9]+$/ && $1 != "total" { print $1, $2, $3 + 0 }' "$scratch/strace" | sort >"$scratch/theirs"
    grep -x 'kill 25 0' "$scratch/ours"
    grep -x 'chdir 1 1' "$scratch/ours"
    grep -x 'exit_group 1 0' "$scratch/ours"
    diff <(grep -v '^exit_group ' "$scratch/ours") "$scratch/theirs" || fail 'counts differ'
}

case_a_traced_container_ends_as_any_other() {
    local script options
    for script in 'exit 7' 'kill -TERM $$; kill -KILL $$; exit 8' 'trap "exit 9" TERM; kill -TERM $$; sleep 5' 'sh -c "kill -SEGV \$\$"; exit $?' 'exec nosuch'; do
        for options in '' --explain; do
            # shellcheck disable=SC2086 # one word or none
            try microvm run $options busybox sh -c "$script"
            echo "$script: $status"
            [[ -n $options ]] || expected=$status
        done
        expect_equal "$status" "$expected" "status of: $script"
    done
    try microvm run --explain busybox nosuch
    expect_status 127
    expect_err_match '^microvm: .*nosuch'
    expect_err_match '^system calls: not available: '
}

case_signals_and_the_terminal_reach_a_traced_container() {
    start "$MICROVM" run --explain busybox sh -c 'trap "echo got TERM; exit 7" TERM; echo ready; while :; do sleep 0.1; done'
    wait_for_output ready
    kill -TERM "$pid"
    finish
    expect_status 7
    expect_match '^got TERM$'
    try script -qec '"$MICROVM" run --explain -t busybox sh -c "tty; stty size >/dev/null && echo terminal"' /dev/null
    expect_status 0
    expect_match '^/dev/pts/0'
    expect_match '^terminal'
    expect_match '^system calls of the container'
}
