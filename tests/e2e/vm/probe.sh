# shellcheck shell=bash disable=SC2154 # what lib/case.sh sets
# SPDX-License-Identifier: Apache-2.0
# microvm probe under both isolations: verify its results by other means.
# limit: 600 s a case: six runs under emulation

cell() { # ISOLATION CHECK MEMBER
    jq -r --arg w "$1" --arg q "$2" --arg m "$3" '.rows[] | select(.check == $q) | .isolations[$w][$m]' "$out"
}

case_a_machine_has_its_own_kernel() {
    local inside
    inside=$(run_busybox uname -r)
    try microvm probe --json --isolation container,vm busybox
    expect_status 0
    expect_equal "$(cell container release result)" "$(uname -r)" "the container's kernel"
    expect_equal "$(cell vm release result)" "$inside" "the machine's kernel"
    expect_equal "$(cell vm release layer)/$(cell container release layer)" hypervisor/nothing layers
    [[ $(cell vm boot_id result) != "$(cat /proc/sys/kernel/random/boot_id)" ]] || fail "the host's boot id"

    # No more memory than the VM has, and it is not the cgroup that limits it.
    expect_equal "$(cell vm hog layer)" hypervisor 'what ends the memory hog'
    expect_equal "$(cell vm bomb result)" 'EAGAIN after 63 forks' 'the fork bomb'

    # The list of each of its threads, and evidence that the filter was installed.
    for thread in vcpu loop; do
        calls=$(jq ".monitor_calls.$thread | length" "$out")
        ((calls >= 10 && calls <= 35)) || fail "thread $thread of the monitor may make $calls calls"
    done
    [[ $(cell vm monitor result) =~ ^[0-9]+\ a\ vCPU,\ [0-9]+\ the\ I/O\ loop$ ]] ||
        fail "calls of the monitor: $(cell vm monitor result)"
    [[ $(cell vm monitor evidence) == *'Seccomp: 2' ]] || fail 'the filter was not seen'
    start "$MICROVM" run busybox sleep 10
    wait_for supervisor_of "$pid"
    wait_for grep -qx $'Seccomp:\t2' "/proc/$(supervisor_of "$pid")/status"
    finish
}
