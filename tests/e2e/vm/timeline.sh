# shellcheck shell=bash disable=SC2016,SC2154 # inner shells' variables; what lib/case.sh sets
# SPDX-License-Identifier: Apache-2.0
# --timeline shows where the time went, for people and as JSON.

steps=(image root monitor kvm loaded kernel init runtime first_byte exit end)

case_a_chart_for_people() {
    local label
    try microvm run --timeline busybox echo hello
    expect_status 0
    expect_out hello
    for label in 'KVM set-up' kernel init crun 'first byte' total; do
        expect_err_match "^$label +[0-9]+\.[0-9]+ ms"
    done
    expect_equal "$(wc -l <"$err")" "$((${#steps[@]} + 1))" 'lines of the chart'
}

case_json_for_programs() {
    local file=$scratch/timeline.json
    try microvm run "--timeline=json:$file" busybox sh -c 'echo hello; exit 3'
    expect_status 3
    expect_out hello
    expect_err ''
    jq -e --arg steps "command ${steps[*]}" '
        ([.steps[].step] | join(" ")) == $steps
        and ([.steps[].at_ns] | . == sort) and all(.steps[]; .took_ns >= 0)
        and .total_ns == .steps[-1].at_ns and .start_ns > 0' "$file" || fail "timeline: $(cat "$file")"
    jq -e '.counts.init.exits > 0 and .counts.end.exits >= .counts.init.exits' "$file"
}

case_a_bare_kernel_has_one_too() {
    local file=$scratch/timeline.json
    try microvm boot --kernel "$E2E_BUILD/vmlinux" --initrd "$E2E_WORK/initrd-shell.cpio" "--timeline=json:$file" --cmdline 'console=hvc0 panic=-1 quiet'
    expect_status 0
    jq -e '[.steps[].step] | index("kvm") != null and index("loaded") != null and index("end") != null' "$file"
}
