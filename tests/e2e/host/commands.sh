# shellcheck shell=bash disable=SC2016,SC2154 # inner shells' variables; what lib/case.sh sets
# SPDX-License-Identifier: Apache-2.0
# Commands that start no VM: version, help, doctor, and wrong usage; the program itself.

case_version_and_help() {
    try microvm version
    expect_status 0
    expect_match '^microvm [0-9]+\.[0-9]+\.[0-9]+'
    try microvm --version
    expect_status 0
    try microvm help
    expect_status 0
    for command in run boot image version doctor; do
        microvm help >"$out"
        expect_match "^ *$command +[a-z]"
        microvm help "$command" >"$out"
        expect_match "^Usage: microvm $command"
        microvm "$command" --help >"$out"
        expect_match "^Usage: microvm $command"
    done
}

case_mistakes_are_answered_with_what_was_meant() {
    try microvm rnu
    expect_failure 125 "rnu.*did you mean 'run'"
    try microvm xyzzy
    expect_failure 125 'xyzzy.*microvm help'
    try microvm run --memry 1g busybox
    expect_failure 125 'memry'
    try microvm image lst
    expect_failure 125 'lst'
    try microvm
    expect_status 125
    expect_out ''
}

case_a_disk_of_an_odd_size_is_refused_before_anything_is_lost() {
    local size
    for size in 0 511 5008; do
        truncate -s "$size" "$scratch/disk"
        try microvm boot --disk "$scratch/disk"
        expect_failure 125 "^microvm: --disk: $scratch/disk: .*512"
        try microvm boot --disk "$scratch/disk:ro"
        expect_failure 125 "^microvm: --disk: $scratch/disk: .*512"
    done
    expect_err_match 'has 5008 bytes, and a guest would not see the last 400'
    expect_err_match 'truncate -s %512'
}

case_a_full_standard_output_is_noticed() {
    status=0
    microvm help >/dev/full 2>"$err" || status=$?
    expect_status 125
    expect_err_match '^microvm: .*output'
}

case_doctor_says_what_is_missing() {
    try microvm doctor
    [[ $status == 0 || $status == 125 || $status == 1 ]]
    for word in /dev/kvm kernel crun memory "open files"; do
        expect_match "$word"
    done
    try env MICROVM_KERNEL=/no/such/kernel "$MICROVM" doctor
    [[ $status != 0 ]] || fail "a missing kernel is fine for doctor"
    expect_match '/no/such/kernel'
}

case_the_man_page_is_one() {
    mandoc -T lint -W warning docs/reference/microvm.1
    mandoc -T utf8 docs/reference/microvm.1 | col -b >"$out"
    for option in --name --env-file --entrypoint --read-only --tmpfs --disk --timeline --cmdline; do
        expect_match "$option"
    done
}

case_the_program_is_small() {
    strip -o "$scratch/stripped" "$MICROVM"
    expect_at_most "$(stat -c %s "$scratch/stripped")" $((500 * 1024)) 'size of the stripped binary'
}

case_only_the_c_library_is_shared() {
    expect_equal "$(readelf -d "$MICROVM" | grep -o 'NEEDED.*\[.*\]' | grep -o '\[.*\]' | sort | tr '\n' ' ')" '[libc.so.6] '
}
