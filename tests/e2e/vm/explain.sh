# shellcheck shell=bash disable=SC2016,SC2154 # inner shells' variables; what lib/case.sh sets
# SPDX-License-Identifier: Apache-2.0
# Purpose: --explain tells what happened underneath: the machine's ledger, the system calls, the descriptor chains.

# row LABEL N: column N behind the label of a row of the report on standard error.
row() {
    sed -n "s/^ *$1  *//p" "$err" | awk -v n="$2" 'NR == 1 { print $n }'
}

case_the_ledger_is_the_timeline_of_the_same_run() {
    local file=$scratch/run.json device
    try microvm run --explain "--timeline=json:$file" --disk 100m busybox sh -c 'echo hello; exit 3'
    expect_status 3
    expect_out hello
    expect_equal "$(row 'KVM_EXIT_IO: an I\/O port' 1)" "$(jq '.counts.end["exits.port"]' "$file")" 'port exits'
    expect_equal "$(row 'KVM_EXIT_MMIO: a register in memory' 1)" "$(jq '.counts.end["exits.mmio"]' "$file")" 'MMIO exits'
    expect_equal "$(row all 1)" "$(jq '.counts.end.exits' "$file")" 'all exits'
    expect_equal "$(row doorbell 2)" "$(jq '.counts.end["doorbell.writes"]' "$file")" 'doorbell calls'
    expect_equal "$(row 'vsock tx' 1)" "$(jq '.counts.end["vsock.tx.kicks"]' "$file")" 'kicks'
    # Purposes are parts of a device's accesses, queues parts of its kicks.
    for device in console block0 block1 entropy vsock; do
        jq -e --arg device "$device" '.counts.end as $all
            | def parts(suffix): [$all | to_entries[] | select(.key | test("^" + $device + "\\.[a-z]+\\." + suffix + "$")) | .value] | add // 0;
            parts("reads") == $all[$device + ".reads"] and parts("writes") == $all[$device + ".writes"]
            and parts("kicks") == $all[$device + ".kicks"] and $all[$device + ".reads"] > 0' "$file" || fail "$device: parts are not the whole"
    done
    # Every exit by MMIO was somebody's access.
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
