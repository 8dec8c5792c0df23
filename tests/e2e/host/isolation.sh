# shellcheck shell=bash disable=SC2016,SC2154 # inner shells' variables; what lib/case.sh sets
# SPDX-License-Identifier: Apache-2.0
# The isolation of a container on the host: what it denies, also without cgroups.

# run_here ARGUMENT…: a container on the host.
run_here() {
    "$MICROVM" run --isolation=container "$@"
}

# without_devices SCRIPT [ARGUMENT]…: where root cannot write the devices cgroup (with version 2: no cgroup at all).
without_devices() {
    in_private_mounts '
        top=/sys/fs/cgroup
        [[ ! -d $top/devices ]] || top+=/devices
        mount -o remount,ro,bind "$top"
        '"$1" bash "${@:2}"
}

readonly open_disk='mknod /disk b 7 0 2>/dev/null; mknod /dev/disk b 7 0 2>/dev/null
    cat /disk /dev/disk >/dev/null 2>&1 && echo opened; head -c 1 /dev/zero | wc -c'

case_devices_of_the_machine_are_closed() {
    try run_here busybox sh -c "$open_disk"
    expect_status 0
    expect_out 1
}

case_devices_are_closed_without_cgroups() {
    try without_devices '"$MICROVM" run --isolation=container busybox sh -c "$1"' "$open_disk"
    expect_status 0
    expect_out 1
    expect_err ''
    # A requested limit causes a warning there.
    try without_devices '"$MICROVM" run --isolation=container --memory 64m busybox true'
    expect_status 0
    expect_err_match '^microvm: warning: --memory is not enforced: '
}

case_device_files_of_an_image_are_refused_without_cgroups() {
    local tree=$scratch/tree
    export MICROVM_STORE=$scratch/store
    mkdir -p "$tree/dev" "$tree/bin"
    mknod "$tree/dev/disk" b 7 0 # covered by the container's own /dev
    microvm image load -q -t covered "$tree"
    try without_devices '"$MICROVM" run --isolation=container covered /bin/none'
    expect_failure 127 '/bin/none'
    mknod "$tree/bin/disk" b 7 0
    microvm image load -q -t bare "$tree"
    try without_devices '"$MICROVM" run --isolation=container bare /bin/none'
    expect_failure 125 'device files'
}

case_no_group_is_left_where_a_mount_hides_it() {
    try run_here --name hidden busybox true
    expect_status 0
    in_private_mounts 'mount --bind /sys/fs/cgroup "$1"; find "$1"' bash "$scratch" >"$out"
    ! grep microvm-hidden "$out" || fail 'the group is there still'
}

case_cgroups_in_a_read_only_directory() {
    try in_private_mounts 'mount -o remount,ro,bind /sys/fs/cgroup; "$MICROVM" run --isolation=container --pids-limit 20 busybox echo ran'
    expect_status 0
    expect_out ran
}

case_a_runtime_gets_no_descriptor_but_its_own() {
    printf '#!/bin/sh\necho "open:" $(readlink /proc/$$/fd/*) >&2\nexit 3\n' >"$scratch/runtime"
    chmod 755 "$scratch/runtime"
    : >"$scratch/secret"
    exec 9<"$scratch/secret"
    try run_here --runtime "$scratch/runtime" busybox true
    exec 9<&-
    expect_failure 125 'open: /dev/null'
    ! grep -E '/lock|secret|socket' "$err" || fail 'a descriptor is inherited'
}

case_a_runtime_ignores_no_signal_that_the_caller_does() {
    printf '#!/bin/sh\ngrep SigIgn /proc/self/status >&2\nexit 3\n' >"$scratch/runtime"
    chmod 755 "$scratch/runtime"
    try bash -c 'trap "" TERM USR1 RTMAX; exec "$MICROVM" run --isolation=container --runtime "$1" busybox true' - "$scratch/runtime"
    expect_failure 125 'SigIgn:.0[0-9a-f]*0000000$' # signals 32 and 33 are the C library's
}

case_no_room_for_a_program() {
    truncate -s 40M "$scratch/program"
    printf '\177ELF' | dd of="$scratch/program" conv=notrunc status=none
    try run_here --disk 16m --program "$scratch/program" busybox
    expect_failure 125 "no room for 'program'; give more --memory, or a larger --disk"
}

# An init that sends something that is no message, and does not end.
case_a_broken_init_is_not_waited_for() {
    printf '#!/bin/sh\nprintf "\\2\\0\\0\\0\\377\\377\\377\\377" >&4\nexec sleep 1000\n' >"$scratch/init"
    chmod 755 "$scratch/init"
    try timeout 8 env MICROVM_INIT="$scratch/init" "$MICROVM" run --isolation=container busybox true
    expect_failure 125 'invalid message from the guest'
}

case_the_callers_umask_is_not_the_containers() {
    try bash -c 'umask 077; exec "$MICROVM" run --isolation=container --user 65534 --tmpfs /data/deep/er "$@"' - \
        busybox sh -c 'umask; stat -c %a /data /data/deep /etc/hosts; echo x >/data/deep/er/file'
    expect_status 0
    expect_out $'0022\n755\n755\n644'
}

case_a_program_that_is_a_pipe_is_refused() {
    mkfifo "$scratch/pipe"
    try timeout 10 "$MICROVM" run --isolation=container --program "$scratch/pipe" busybox
    expect_failure 125 'not a regular file'
}

case_no_cgroups_at_all() {
    try in_private_mounts 'umount -l /sys/fs/cgroup; "$MICROVM" run --isolation=container --memory 64m busybox sh -c "$1"' bash "$open_disk"
    expect_status 0
    expect_out 1
    expect_err_match '^microvm: warning: --memory is not enforced: no cgroups are mounted'
}

case_a_runtime_that_is_none() {
    local runtime
    for runtime in "$scratch" /dev/null "$scratch/none" none; do
        try run_here --runtime "$runtime" busybox true
        expect_failure 125 "$runtime is not an executable"
    done
}

# without_root COMMAND…: as nobody, who has 65536 subordinate users.
without_root() {
    mkdir -p "$MICROVM_RUNTIME" "$TMPDIR"
    chown 65534:65534 "$MICROVM_RUNTIME" "$TMPDIR"
    echo 65534:200000:65536 >"$scratch/ranges"
    make_fuse_device
    in_private_mounts '
        mount --bind "$0/ranges" /etc/subuid
        mount --bind "$0/ranges" /etc/subgid
        mount --bind "$0/fuse" /dev/fuse
        exec setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all -- "$@"' "$scratch" "$@"
}

case_without_root() {
    try without_root "$MICROVM" run --isolation=container busybox sh -c '
        id -u; awk "{ print \$1, \$2, \$3 }" /proc/self/uid_map; rm -rf /bin/vi; mkdir /bin/vi; ls -d /bin/vi; exit 5'
    expect_status 5
    expect_equal "$(cat "$out")" $'0\n0 65534 1\n1 200000 65536\n/bin/vi'
    expect_err ''
    # The kernel accepts no group outside the subordinate range.
    try without_root "$MICROVM" run --isolation=container busybox sh -c 'echo $(cat /proc/sys/net/ipv4/ping_group_range)'
    expect_out '0 65536'
    try without_root "$MICROVM" run --isolation=container -u 33 busybox sh -c 'id -u; touch /x 2>/dev/null || echo refused'
    expect_equal "$(cat "$out")" $'33\nrefused'
    try without_root "$MICROVM" run --isolation=container -m 32m busybox echo runs
    expect_status 0
    expect_out runs
    expect_err_match '--memory is not enforced'
}

case_without_root_and_without_user_namespaces() {
    # The store must belong to the namespace's user, for whom root's store is somebody else's.
    cp -r "$MICROVM_STORE" "$scratch/store"
    chown -R 65534:65534 "$scratch/store"
    MICROVM_STORE=$scratch/store try without_root unshare --user --map-user=1000 --keep-caps sh -c 'echo 0 >/proc/sys/user/max_user_namespaces; exec "$@"' - \
        "$MICROVM" run --isolation=container busybox true
    expect_status 125
    expect_err_match '--isolation=container without root needs user namespaces'
}

case_gvisor() {
    try microvm run --isolation=gvisor busybox sh -c 'echo out; echo err >&2; exit 9'
    expect_status 9
    expect_out out
    expect_err err
    try microvm run --isolation=gvisor -i busybox cat <<<'through two kernels'
    expect_out 'through two kernels'
    try microvm run --isolation=gvisor busybox cat /proc/version
    expect_match gVisor\|4.4.0
    try "$MICROVM" run --isolation=gvisor --runtime "$E2E_BUILD/crun" busybox true
    expect_failure 125 "is not runsc"
    try microvm run --isolation=gvisor busybox nosuch
    expect_failure 127 nosuch
    try microvm run --isolation=gvisor busybox /etc/passwd
    expect_failure 126 /etc/passwd
    PATH=/nowhere try "$MICROVM" run --isolation=gvisor busybox true
    expect_failure 125 'runsc not found in PATH'
}

case_another_runtime() {
    try microvm run --isolation=container --runtime "$E2E_BUILD/crun" busybox sh -c 'grep Seccomp: /proc/self/status; exit 4'
    expect_status 4
    expect_equal "$(tr -d '\t ' <"$out")" Seccomp:2
    try microvm run --isolation=container --runtime nosuch busybox true
    expect_failure 125 '--runtime: nosuch'
}

# The writable layer is charged to the container: filling it up would leave no page for its own programs.
case_the_writable_layer_leaves_memory_to_run_in() {
    try "$MICROVM" run --isolation=container -m 64m busybox sh -c 'df -k / | tail -n 1; for file in /big /etc/hosts; do
        head -c 100000000 /dev/zero >>$file || echo full; done'
    expect_status 0
    expect_match '^overlay +327(6[89]|[789][0-9]) ' # and the bundle's few KiB
    expect_equal "$(grep -c '^full$' "$out")" 2 'files that met the end'
}

case_the_end_of_a_hog_is_not_put_off_by_reading() {
    # A hog evicts the program's own pages. Reading them back must not continue forever: count the faults that read.
    local hog='[bytearray(b"x") * (1 << 20) for i in range(1 << 20)]' i root
    local count='import resource, subprocess, sys
print(subprocess.call(sys.argv[1:]), resource.getrusage(resource.RUSAGE_CHILDREN).ru_majflt)'
    for i in 1 2 3; do
        # As on the first run: nothing of the image is cached.
        for root in "$MICROVM_STORE"/roots/*.squashfs; do
            dd if="$root" iflag=nocache count=0 status=none
        done
        try python3 -c "$count" "$MICROVM" run --isolation=container -m 96m debian sh -c "python3 -c '$hog'; exit \$?"
        expect_match '^137 [0-9]+$'
        expect_at_most "$(cut -d' ' -f2 "$out")" 2000 "faults that read, in run $i"
    done
}

case_a_name_with_dots_leaves_no_group() {
    try "$MICROVM" run --isolation=container --name "a..b.$$" busybox true
    expect_status 0
    expect_equal "$(find /sys/fs/cgroup -maxdepth 2 -name "microvm-a..b.$$")" '' 'control groups'
}

# The kernel uses 32 bits of the number, but a filter sees 64.
case_no_socket_reaches_a_hypervisor() {
    printf '#include <sys/socket.h>\n#include <sys/syscall.h>\n#include <unistd.h>\nint main(void)\n{\n    return socket(AF_UNIX, SOCK_STREAM, 0) < 0 || syscall(SYS_socket, AF_VSOCK, SOCK_STREAM, 0) >= 0 ||\n        syscall(SYS_socket, AF_VSOCK | 1L << 32, SOCK_STREAM, 0) >= 0;\n}\n' >"$scratch/sockets.c"
    musl-gcc -static -Wall -Werror -o "$scratch/sockets" "$scratch/sockets.c"
    try "$MICROVM" run --isolation=container --program "$scratch/sockets" busybox
    expect_status 0
}
