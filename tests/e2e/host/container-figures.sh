# shellcheck shell=bash disable=SC2016,SC2154 # inner shells' variables; what lib/case.sh sets
# SPDX-License-Identifier: Apache-2.0
# What a container costs in addition to its runtime, in counts. (Times belong to `make bench`.)

# succeeded FILE PATTERN: how many of these system calls in a trace have succeeded.
succeeded() {
    grep -cE "^[0-9]+ +(<\.\.\. )?($2)(\(.*| resumed>.*) += [0-9]+$" "$1"
}

# The client, process 1 of the outer namespaces, the runtime, the command: and no process that only waits for another.
case_four_processes_and_four_programs() {
    local programs processes
    start strace -f -o "$scratch/all" -e 'trace=execve,clone,fork,vfork' "$MICROVM" run --isolation=container busybox true
    finish
    expect_status 0
    sed 1d "$scratch/all" >"$scratch/trace" # the tests' own start of microvm
    cat "$scratch/trace"
    programs=$(sed 's, /\* .* \*/,,' "$scratch/trace" >"$scratch/plain" && succeeded "$scratch/plain" execve)
    expect_at_most "$programs" 4 'programs executed'
    processes=$(succeeded "$scratch/trace" 'clone|fork|vfork')
    expect_at_most "$processes" 3 'processes made'
    ((programs == 4 && processes == 3)) || fail 'the counts must be wrong'
}

# A squashfs reads whole blocks. Read-ahead would read most of a program that prints one word.
case_nothing_is_read_ahead_of_an_image() {
    try microvm run --isolation=container busybox sh -c '
        for loop in /sys/block/loop*; do
            read -r file 2>/dev/null <$loop/loop/backing_file || continue
            case $file in *squashfs*) cat $loop/queue/read_ahead_kb ;; esac
        done'
    expect_status 0
    expect_at_most "$(sort -n "$out" | head -n 1)" 4 'KiB read ahead'
}
