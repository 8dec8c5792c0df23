# shellcheck shell=bash disable=SC2016,SC2154 # inner shells' variables; what lib/case.sh sets
# SPDX-License-Identifier: Apache-2.0
# `microvm compare` with both columns: what only a VM can have is in the VM's.

compare() {
    try microvm compare --isolation=container,vm --json "$@"
    expect_status 0
    jq -e 'all(.isolations[]; .ran)' "$out" >/dev/null || fail "an isolation did not run"
}

# expect_rows FILTER: true for an object of rows; each row is an object of cells by the name of the isolation.
expect_rows() {
    jq -e "[.rows[] | {(.id): ([.cells[] | {(.isolation): .}] | add)}] | add | $1" "$out" || fail "it does not hold: $1"
}

case_both_columns() {
    compare -n 4 -m 200m busybox sh -c 'until set -- $(cat /proc/$$/stat) && [ $((${14} + ${15})) -ge 50 ]; do :; done; echo done'
    jq -e 'all(.rows[].cells[]; (.values | length) == 4)' "$out" || fail "not 4 values in each cell"
    # Under each isolation the kernel has given the shell 0.5 s; the host's accounting must contain that.
    expect_rows 'all(.["warm.cpu_inside"][]; .minimum >= 4.8e8)'
    # A VM's memory contains at least a kernel; it is at most the requested memory and the monitor's own.
    expect_rows '.["warm.memory"].vm | .minimum > 2e7 and .maximum < 2.6e8'
    expect_rows '.["warm.memory"].vm.verdict == "different" and .["warm.memory"].vm.ratio > 2'
    expect_rows '.["warm.memory"].container.verdict == "baseline"'
    expect_rows '.["warm.command"].vm.minimum > .["warm.command"].container.minimum'
}

case_different_ends_are_told() {
    local boot_id
    boot_id=$(</proc/sys/kernel/random/boot_id)
    compare -n 1 busybox sh -c "cat /proc/sys/kernel/random/boot_id; grep -q $boot_id /proc/sys/kernel/random/boot_id"
    jq -e '.isolations[0].status == 0 and .isolations[1].status == 1' "$out"
    jq -e '.notes | index("micro-VM: the command ended with status 1") != null and
        index("the exit status differs: container 0, micro-VM 1") != null and
        index("the output differs: container wrote 37 bytes, micro-VM 37") != null' "$out" || fail "notes: $(jq .notes "$out")"
}

case_what_the_machine_costs() {
    compare -n 1 busybox true
    expect_rows '.hypercall.vm.values | length == 7 and all(. > 0)'
    expect_rows '.virtio_kick.vm.values | length == 7 and all(. > 0)'
    expect_rows '.hypercall.container.note == "none: no hypervisor" and .virtio_kick.container.values == []'
    # A doorbell call is an exit; a kick is an exit, the device's work and an interrupt. A system call of the guest is not an exit.
    expect_rows '.virtio_kick.vm.median > .hypercall.vm.median and .hypercall.vm.median > .syscall.vm.median'
    expect_rows 'all(.syscall[], .disk_read[]; .values | length == 4)'
}
