# shellcheck shell=bash disable=SC2154 # what lib/case.sh sets
# SPDX-License-Identifier: Apache-2.0
# microvm probe inside a container: verify its results by other means.

# result CHECK: the container's result; layer CHECK: the layer that stopped it.
result() {
    jq -r --arg q "$1" '.rows[] | select(.check == $q) | .isolations.container.result' "$out"
}

layer() {
    jq -r --arg q "$1" '.rows[] | select(.check == $q) | .isolations.container.layer' "$out"
}

probe_container() {
    try microvm probe --json --isolation container busybox
    expect_status 0
}

in_container() {
    microvm run --isolation container --pids-limit 64 busybox "$@"
}

case_the_kernel_is_the_hosts() {
    probe_container
    expect_equal "$(result release)" "$(uname -r)" release
    expect_equal "$(result boot_id)" "$(cat /proc/sys/kernel/random/boot_id)" 'boot id'
    expect_equal "$(layer release)/$(layer boot_id)" nothing/nothing layers
    expect_equal "$(layer processes)" namespace 'layer of processes'
}

case_missing_capabilities_are_named() {
    probe_container
    local effective
    effective=$(in_container grep CapEff /proc/self/status)
    ((!(0x${effective##*[[:space:]]} >> 25 & 1))) || fail "CAP_SYS_TIME is held: $effective"
    expect_equal "$(result clock)/$(layer clock)" EPERM/capability 'the clock'
    jq -e --arg c "${effective##*[[:space:]]}" \
        '.rows[] | select(.check == "clock") | .isolations.container.evidence | contains("CAP_SYS_TIME") and contains($c)' \
        "$out" >/dev/null || fail 'the evidence does not name what is missing'
}

# Another program makes each call that probe reports as stopped: a filter refuses it. The other way round, the filter does
# not refuse what probe reports as allowed (only calls that read are tested).
case_stopped_calls_are_stopped() {
    probe_container
    local names numbers stopped
    names=$(echo '#include <asm/unistd.h>' | gcc -E -dM - | sed -nE 's/^#define __NR_([a-z0-9_]+) ([0-9]+)$/{"\1":\2}/p' | jq -s add)
    stopped=$(jq '.isolations[0].calls.stopped | length' "$out")
    ((stopped > 30)) || fail "only $stopped calls are stopped"
    expect_equal "$(jq -r '.isolations[0].calls | (.present + .absent + .untested + .stopped) | length' "$out")" \
        "$(jq length <<<"$names")" 'calls known'
    numbers=$(jq -r --argjson n "$names" '.isolations[0].calls.stopped[] | $n[.]' "$out")
    jq -e '.isolations[0].calls.present | contains(["getpid", "uname", "getuid", "sched_yield"])' "$out" >/dev/null ||
        fail 'calls without effect are said to be stopped'
    musl-gcc -static -O2 -Wall -Werror -o "$scratch/refused" "$E2E_TOP/tests/e2e/programs/refused.c"
    # shellcheck disable=SC2086 # a list of numbers
    try microvm run --isolation container --program "$scratch/refused" busybox $numbers
    expect_status 0
    expect_out ''
}

case_the_fork_bomb_meets_the_limit() {
    local limit
    # shellcheck disable=SC2016 # the shell's inside
    limit=$(in_container sh -c 'cat /sys/fs/cgroup/pids.max 2>/dev/null || cat /sys/fs/cgroup/pids/pids.max')
    probe_container
    expect_equal "$(result bomb)" "EAGAIN after $((limit - 1)) forks" 'the fork bomb'
    expect_equal "$(layer bomb)/$(layer hog)" cgroup/cgroup layers
    [[ $(result bomb_neighbour) == *loops/s* ]] || fail 'no noisy neighbour was measured'
}

case_the_host_keeps_its_name() {
    local before
    before=$(hostname)
    probe_container
    expect_equal "$(result set_hostname)/$(layer set_hostname)" EPERM/seccomp 'the host name'
    expect_equal "$(hostname)" "$before" 'the host afterwards'
}

case_the_table_fits_and_gives_reasons() {
    try microvm probe --isolation container busybox
    expect_status 0
    expect_match '^load a module +EPERM \(seccomp\)$'
    expect_equal "$(awk 'length > 100' "$out")" '' 'lines of more than 100 columns'
    try microvm probe --verbose --isolation container busybox
    expect_status 0
    expect_equal "$(grep -c '^    tries: .*; side effects: ' "$out")" \
        "$(microvm probe --json --isolation container busybox | jq '.rows | length')" 'reasons'
    expect_match '^container: stopped by the filter$'
}

case_an_isolation_that_cannot_be_probed_says_so() {
    try env MICROVM_KERNEL="$scratch/none" "$MICROVM" probe --isolation container,vm busybox
    expect_status 0
    expect_match '^release .*not tested$'
    expect_match '^micro-VM not tested: .'
    try env MICROVM_KERNEL="$scratch/none" "$MICROVM" probe --isolation vm busybox
    expect_status 125
    expect_err_match '^microvm: probe: no isolation could be tested$'
}

case_bad_input() {
    try microvm probe
    expect_failure 125 'no IMAGE'
    try microvm probe busybox true
    expect_failure 125 "'true'"
    try microvm probe --isolation moat busybox
    expect_failure 125 "'moat' is unknown"
    try microvm probe nosuchimage
    expect_failure 125 nosuchimage
}
