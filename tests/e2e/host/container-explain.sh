# shellcheck shell=bash disable=SC2016,SC2154 # inner shells' variables; what lib/case.sh sets
# SPDX-License-Identifier: Apache-2.0
# --explain of a container on the host: it counts the system calls, and shows nothing about a VM.

case_a_container_has_the_same_table_of_system_calls() {
    try microvm run --isolation=container --explain busybox sh -c 'i=0; while [ $i -lt 25 ]; do kill -0 $$; i=$((i + 1)); done; exit 6'
    expect_status 6
    expect_err_match '^  kill +25 +0 '
    expect_err_match '^  execve +1 +0 '
    expect_err_match '^exits to a monitor: none; '
    ! grep KVM_EXIT "$err"
}

case_threads_and_their_execve_are_followed() {
    try microvm run --isolation=container --explain debian python3 -c '
import os, threading
threads = [threading.Thread(target=lambda: [os.getppid() for _ in range(100)]) for _ in range(5)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
threading.Thread(target=lambda: os.execv("/bin/echo", ["echo", "from a thread"])).start()'
    expect_status 0
    expect_out 'from a thread'
    expect_err_match '^  getppid +500 +0 '
}

case_live_is_for_machines() {
    try microvm run --isolation=container --explain=live busybox true
    expect_failure 125 '^microvm: --explain=live: --isolation=container has no monitor'
}
