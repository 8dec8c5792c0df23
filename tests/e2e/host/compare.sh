# shellcheck shell=bash disable=SC2016,SC2154 # inner shells' variables; what lib/case.sh sets
# SPDX-License-Identifier: Apache-2.0
# `microvm compare` with the container's column: compare its rows with the clock, the kernel's own accounting and a
# browser.

# compare OPTION… IMAGE COMMAND…: the container's column as JSON, in $out.
compare() {
    try microvm compare --isolation=container --json "$@"
    expect_status 0
    jq -e . "$out" >/dev/null || fail "that is no JSON"
}

# value ROW [FIELD]: of the container's cell.
value() {
    jq -r --arg row "$1" --arg field "${2:-median}" '.rows[] | select(.id == $row) | .cells[0][$field]' "$out"
}

# expect_between ACTUAL LEAST MOST WHAT: numbers with fractions.
expect_between() {
    echo "$4: $1 (from $2 to $3)"
    jq -en "$1 >= $2 and $1 <= $3" >/dev/null || fail "$4 is $1"
}

# Where this host counts memory: the root of the hierarchy.
memory_groups() {
    if [[ -e /sys/fs/cgroup/cgroup.controllers ]]; then echo /sys/fs/cgroup; else echo /sys/fs/cgroup/memory; fi
}

groups_left() {
    find /sys/fs/cgroup -name "microvm-compare.$1.*" -type d | grep -q .
}

case_times_are_those_of_the_clock() {
    local before after
    before=$(date +%s%N)
    compare -n 4 busybox sh -c 'sleep 0.3; echo hello; sleep 0.2'
    after=$(date +%s%N)
    jq -e 'all(.rows[].cells[]; (.values | length) == 4)' "$out" || fail "not 4 values in each row"
    for kind in warm cold; do
        expect_between "$(value $kind.first_byte minimum) - $(value $kind.command maximum)" -1e12 1e12 "first byte after start"
        expect_between "$(value $kind.first_byte minimum)" 300000000 $((after - before)) "$kind first byte"
        expect_between "$(value $kind.run minimum)" 500000000 $((after - before)) "$kind run"
    done
    # The sum of all runs is not longer than the whole.
    jq -e --argjson whole $((after - before)) '[.rows[] | select(.id | endswith(".run")).cells[0].values[]] | add <= $whole' "$out" ||
        fail "the runs are longer than the whole took"
    jq -e '.rows | map({(.id): .cells[0].median}) | add | .["warm.command"] < .["warm.first_byte"] and .["warm.first_byte"] < .["warm.run"]' "$out" ||
        fail "the order of the times is wrong"
}

case_memory_is_that_of_the_run() {
    compare -n 1 busybox true
    expect_between "$(value warm.memory)" 100000 60000000 "memory of true"
    # tail keeps an endless line in memory: 64 MiB.
    compare -n 1 busybox sh -c 'head -c 64m /dev/zero | tail | wc -c'
    expect_between "$(value warm.memory)" 67108864 300000000 "memory of tail"
}

case_processor_time_is_that_of_the_command() {
    # Until the kernel says that the shell has used 0.5 s: fields 14 and 15 of /proc/PID/stat, in hundredths.
    compare -n 1 busybox sh -c 'until set -- $(cat /proc/$$/stat) && [ $((${14} + ${15})) -ge 50 ]; do :; done; echo done'
    expect_between "$(value warm.cpu_inside)" 480000000 60000000000 "processor time inside"
    expect_between "$(value warm.cpu_around)" 1000000 480000000 "processor time around it"
}

case_runs_are_in_groups_of_their_own() {
    local group
    start "$MICROVM" compare --isolation=container busybox sleep 1000
    group=$(memory_groups)/microvm-compare.$pid.1
    wait_for grep -rqs . "$group" --include=cgroup.procs
    # The command itself is in a cgroup below.
    wait_for sh -c "cat /dev/null \$(find $group -name cgroup.procs) | sed 's|.*|/proc/&/cmdline|' | xargs cat | tr '\\0' ' ' | grep -q 'sleep 1000'"
    kill -TERM "$pid"
    local compare=$pid
    finish
    expect_status 143
    ! groups_left "$compare" || fail "groups are left"
}

# The command, process 1 of its namespace, receives no signal without a handler.
case_a_command_that_never_stops_is_ended() {
    start "$MICROVM" compare --isolation=container busybox yes
    wait_for pgrep -f "^yes$"
    kill -TERM "$pid"
    local compare=$pid
    finish
    expect_status 143
    ! groups_left "$compare" || fail "groups are left"
}

case_a_killed_compare_leaves_no_process() {
    start "$MICROVM" compare --isolation=container busybox sleep "3141$$"
    wait_for pgrep -f "^sleep 3141$$"
    kill -KILL "$pid"
    finish
    wait_for sh -c "! pgrep -f '^sleep 3141$$'"
    microvm compare -n 1 --isolation=container busybox true >/dev/null
}

case_groups_of_the_dead_are_removed() {
    local dead top
    top=$(memory_groups)
    true &
    dead=$!
    wait "$dead"
    mkdir -p "$top/microvm-compare.$dead.1/run" "$top/microvm-compare.$$.7"
    compare -n 1 busybox true
    ! groups_left "$dead" || fail "the dead one's group is still there"
    groups_left "$$" || fail "the group of a process that lives is gone"
    rmdir "$top/microvm-compare.$$.7"
}

case_without_groups_it_says_so() {
    mkdir -m 700 "$scratch/run"
    chown 65534:65534 "$scratch/run"
    try as_nobody env MICROVM_RUNTIME="$scratch/run" "$MICROVM" compare --isolation=container --json -n 1 busybox true
    expect_status 0
    jq -e '.rows[] | select(.id == "warm.memory").cells[0] | .values == [] and
        (.note | startswith("not measured: cannot make a cgroup in /sys/fs/cgroup"))' "$out" || fail "memory"
    jq -e '.rows[] | select(.id == "warm.cpu_inside").cells[0] | .values == [] and
        .note == "not measured: the run does not report the part inside"' "$out" || fail "processor time inside"
    jq -e '.notes[] | select(startswith("processor time is that of the processes"))' "$out" || fail "no note"
    expect_between "$(value warm.cpu)" 1000000 60000000000 "processor time"
}

case_built_in_measures() {
    local size
    compare -n 1 --costs busybox echo hello
    for row in syscall fork_exec page_fault context_switch pipe root_read root_random_read \
        {layer,disk}_{write,random_write,read,random_read}; do
        jq -e --arg row "$row" '.rows[] | select(.id == $row).cells[0].values | length == 4 and all(. > 0)' "$out" >/dev/null ||
            fail "$row: $(value "$row" note)"
    done
    expect_equal "$(value hypercall note)" 'none: no hypervisor'
    # A system call takes some time, but less than a process; a page takes less than a process.
    jq -e '.rows | map({(.id): .cells[0].median}) | add | .syscall > 1 and .syscall < .fork_exec and .page_fault < .fork_exec' "$out"
    # The file that was read is the largest of the image.
    size=$(skopeo inspect "oci:$E2E_WORK/images/busybox" >/dev/null && microvm run --isolation=container busybox \
        find / -xdev -type f -size +64k -exec stat -c '%s %n' {} + | sort -n | tail -n 1)
    jq -e --arg file "${size#* }" --arg kib "$((${size% *} / 1024)) KiB of" \
        'any(.notes[]; contains($kib) and contains($file))' "$out" || fail "the largest file is $size: $(jq .notes "$out")"
}

case_measures_count_what_they_do() {
    local calls samples
    try strace -f -c -e trace=getppid,execve -o "$scratch/count" "$E2E_BUILD/microvm-probes" measure calls
    expect_status 0
    samples=$(jq -s '[.[] | select(.measure == "syscall")] | length' "$out")
    expect_equal "$samples" 7 'samples'
    calls=$(awk '$NF == "getppid" { print $4 }' "$scratch/count")
    ((calls >= 7)) || fail "$calls calls"
    # Traced, a call takes some 20 us; one that was never made would still take some ns.
    jq -s -e '[.[] | select(.measure == "syscall").ps] | min > 1000000' "$out" || fail "a traced call cannot be that cheap"
}

case_a_browser_opens_the_page() {
    compare -n 4 --costs --html "$scratch/page.html" busybox echo '<b>&"hello"</b>'
    cp "$out" "$scratch/page.json"
    try "$E2E_TOP/tests/e2e/programs/check-html" "$scratch/page.html" "$scratch/page.json"
    expect_status 0
    expect_match '^[1-9][0-9]+ numbers'
    # The check itself must detect one wrong digit.
    sed -i '0,/data-value="[0-9]/s/data-value="[0-9]/&7/' "$scratch/page.html"
    try "$E2E_TOP/tests/e2e/programs/check-html" "$scratch/page.html" "$scratch/page.json"
    expect_status 1
}

case_a_table_for_people() {
    try microvm compare -n 2 --isolation=container busybox -- sh -c 'echo hello; exit 3'
    expect_status 0
    expect_line "busybox sh -c echo hello; exit 3"
    expect_match '^the command, warm +container$'
    expect_match '^  full run +[0-9.]+ (ms|s)$'
    expect_line '- container: the command ended with status 3'
    expect_line '- 2 runs are too few to show a difference; use at least -n 4'
    expect_err ''
}

case_an_isolation_that_cannot_run_is_a_column_that_says_why() {
    try env MICROVM_KERNEL=/nonexistent "$MICROVM" compare -n 1 --json --isolation=vm,container busybox echo hello
    expect_status 0
    jq -e '.isolations[0] | .name == "vm" and .ran == false and (.reason | length) > 10' "$out" || fail "no reason"
    jq -e '.isolations[1].ran and .baseline == "container"' "$out"
    jq -e 'all(.rows[].cells[0]; .values == [] and (.note | length) > 0)' "$out" || fail "a column of zeros"
    jq -e 'all(.rows[].cells[1]; .values | length == 1)' "$out"
}

case_bad_input() {
    try microvm compare nosuch true
    expect_failure 125 "no image 'nosuch:latest'"
    try microvm compare -n 0 busybox true
    expect_failure 125 '--runs: 0 is outside of 1 to 1000'
    try microvm compare --isolation=container,jail busybox true
    expect_failure 125 "--isolation: 'jail' is unknown; use vm, container, gvisor"
    try microvm compare --isolation=vm,vm busybox true
    expect_failure 125 '--isolation: vm is listed twice'
    try microvm compare --html /nonexistent/page.html busybox true
    expect_failure 125 '--html: /nonexistent/page.html: No such file'
    try microvm compare
    expect_failure 125 'compare: no IMAGE'
    try env MICROVM_KERNEL=/nonexistent "$MICROVM" compare --isolation=vm --html "$scratch/page.html" busybox true
    expect_failure 125 'compare: the command did not run: .*(/nonexistent|/dev/kvm)'
    [[ ! -e $scratch/page.html ]] || fail "an empty page is left"
}

case_a_command_that_cannot_run_is_a_failure() {
    try microvm compare --isolation=container -n 1 busybox nosuch
    expect_failure 127 'compare: the command did not run: .*nosuch.* not found'
    try microvm compare --isolation=container -n 1 busybox /etc/passwd
    expect_failure 126 'compare: the command did not run: .*/etc/passwd'
    # A status of the command is not a failure of the comparison.
    try microvm compare --isolation=container -n 1 busybox sh -c 'exit 127'
    expect_status 0
}

# One line and docker's status, whatever keeps the other isolations from running.
case_a_command_that_is_not_found_is_named_in_one_line() {
    try env MICROVM_KERNEL=/nonexistent "$MICROVM" compare --isolation=vm,container -n 1 busybox nosuch
    expect_failure 127 '^microvm: compare: the command did not run: [^;]*nosuch[^;]*not found'
}

case_options_of_run_are_passed_on() {
    compare -n 1 -h box -e A=1 --tmpfs /scratch --cpus=1 busybox sh -c '[ "$(hostname)$A" = box1 ] && grep -q " /scratch " /proc/mounts'
    jq -e '.isolations[0].status == 0' "$out" || fail 'an option did not arrive'
    jq -e '.options == ["--hostname=box", "--env=A=1", "--tmpfs=/scratch", "--cpus=1"]' "$out" || fail "$(jq -c .options "$out")"
    # The measures choose their own program; the command has the requested one.
    compare -n 1 --costs --entrypoint sh busybox -c 'exit 4'
    jq -e '.isolations[0].status == 4' "$out" || fail 'the entry point did not arrive'
    expect_equal "$(jq '.rows[] | select(.id == "syscall").cells[0].values | length' "$out")" 4 'values of a measure'
    try microvm compare -it busybox
    expect_failure 125 '-i: cannot be used here: the runs have no standard input'
    try microvm compare --name=x busybox
    expect_failure 125 '--name: cannot be used here: several runs cannot have one name'
    try microvm compare --memory=nonsense busybox
    expect_failure 125 '--memory: '
}

# compare and probe read one line of JSON about a run, on a descriptor.
case_a_run_leaves_a_record() {
    record() {
        try sh -c 'exec "$@" 3>"$0"' "$scratch/record" "$MICROVM" run --report-fd=3 "$@"
        expect_equal "$(wc -l <"$scratch/record")" 1 'lines of the record'
        expect_equal "$(jq .status "$scratch/record")" "$status" 'its status'
    }
    record --isolation=container busybox sh -c 'exit 3'
    jq -e '.stage == "started" and .status == 3 and .reason == null' "$scratch/record" || fail "$(cat "$scratch/record")"
    record --isolation=container busybox nosuch
    jq -e '.stage == "command" and .status == 127 and (.reason | contains("nosuch"))' "$scratch/record" || fail "$(cat "$scratch/record")"
    record --isolation=container nosuchimage
    jq -e '.stage == "image" and .status == 125' "$scratch/record" || fail "$(cat "$scratch/record")"
    record --isolation=moat busybox
    jq -e '.stage == "options"' "$scratch/record" || fail "$(cat "$scratch/record")"
    # It does not reach the container.
    record --isolation=container busybox sh -c 'readlink /proc/self/fd/*'
    ! grep -q record "$out" || fail 'the descriptor is inherited'
    try microvm run --report-fd=3 busybox true
    expect_failure 125 '--report-fd: 3: Bad file descriptor'
    try microvm run --report-fd=1 busybox true
    expect_failure 125 '--report-fd: 1 is outside of'
}
