# shellcheck shell=bash disable=SC2016,SC2154 # inner shells' variables; what lib/case.sh sets
# SPDX-License-Identifier: Apache-2.0
# The container's environment: the image's config, the options that override it, docker's defaults.

case_the_image_says_what_runs() {
    try microvm run layers
    expect_status 0
    expect_out 'entry cmd'
    try microvm run layers given words
    expect_out 'entry given words'
    try microvm run --entrypoint /bin/hostname --hostname alone layers
    expect_out alone
    try microvm run --entrypoint /bin/sh layers -c 'id -u; id -g; id -G; pwd; echo "$GREETING, $SPACED"; echo "$HOME"; ls /data'
    expect_status 0
    expect_equal "$(cat "$out")" $'1000\n1000\n1000 29\n/work\nhello, two words\n/home/app\nkeep'
}

case_environment() {
    printf '%s\n' '# comment' '' 'FROM_FILE=file' 'BOTH=file' 'INHERITED' 'ABSENT_HERE' >"$scratch/env"
    INHERITED='from here' TAKEN='taken along' try microvm run --env-file "$scratch/env" -e BOTH=option -e TAKEN -e 'SPACES= a  b ' \
        -e EMPTY= -e $'LINES=one\ntwo' busybox env
    expect_status 0
    expect_line FROM_FILE=file
    expect_line BOTH=option
    expect_line 'INHERITED=from here'
    expect_line 'TAKEN=taken along'
    expect_line 'SPACES= a  b '
    expect_line EMPTY=
    expect_line LINES=one
    expect_line two
    expect_line PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    expect_line HOME=/root
    ! grep ABSENT_HERE "$out"
    ! grep ^TERM= "$out"
}

case_user_and_group() {
    try microvm run -u app busybox sh -c 'id -u; id -g; id -G; echo $HOME; touch /x 2>/dev/null || echo no-right'
    expect_equal "$(cat "$out")" $'1000\n1000\n1000 29\n/home/app\nno-right'
    try microvm run -u 1234:29 busybox sh -c 'id -u; id -g; id -G'
    expect_equal "$(cat "$out")" $'1234\n29\n29'
    try microvm run -u app:www-data busybox sh -c 'id -u; id -g'
    expect_equal "$(cat "$out")" $'1000\n33'
}

case_directory_host_name_and_network_files() {
    try microvm run -w /made/here --hostname box busybox sh -c '
        pwd; hostname; echo $HOSTNAME; cat /etc/hostname; grep -c "127.0.0.1.*localhost" /etc/hosts; grep -c "box" /etc/hosts
        test -f /etc/resolv.conf && echo resolv; ping -c 1 -w 5 127.0.0.1 >/dev/null && echo loopback'
    expect_status 0
    expect_equal "$(cat "$out")" $'/made/here\nbox\nbox\nbox\n1\n1\nresolv\nloopback'
}

case_a_read_only_root_and_a_tmpfs() {
    try microvm run --read-only --tmpfs /scratch:size=1m busybox sh -c '
        touch /x 2>&1; touch /scratch/x && echo scratch; stat -c %a /scratch
        dd if=/dev/zero of=/scratch/big bs=1M count=2 2>/dev/null || echo full; grep " / " /proc/mounts | grep -cw ro'
    expect_status 0
    expect_equal "$(cat "$out")" $'touch: /x: Read-only file system\nscratch\n1777\nfull\n1'
}

case_process_one_and_nobody_else() {
    try run_busybox sh -c 'echo pid $$; ps -o pid,args | tail -n +2 | grep -vc -e "ps -o" -e grep -e tail; ls /proc | grep -c "^[0-9]"'
    expect_status 0
    expect_line 'pid 1'
    expect_at_most "$(sed -n 2p "$out")" 2 'processes'
}

case_capabilities_and_privileges_are_dockers() {
    try run_busybox sh -c 'grep -e CapEff -e CapBnd -e CapInh -e CapAmb -e NoNewPrivs -e Seccomp: /proc/self/status
        mount -t tmpfs x /mnt 2>/dev/null || echo no-mount; mknod /dev/kmsg2 c 1 11 && echo node; cat /dev/kmsg2 >/dev/null 2>&1 || echo no-device'
    expect_match '^CapEff:[[:space:]]*00000000a80425fb$'
    expect_match '^CapBnd:[[:space:]]*00000000a80425fb$'
    expect_match '^CapAmb:[[:space:]]*0000000000000000$'
    expect_line no-mount
    expect_line node
    expect_line no-device
    try microvm run -u app busybox sh -c 'grep -e CapEff /proc/self/status'
    expect_match '^CapEff:[[:space:]]*0000000000000000$'
}

case_masked_paths_and_devices() {
    try run_busybox sh -c '
        cat /proc/kcore 2>/dev/null | wc -c; ls /sys/firmware 2>/dev/null | wc -l; cat /proc/timer_list 2>/dev/null | wc -c
        echo x >/proc/sys/kernel/hostname 2>/dev/null || echo read-only; touch /sys/x 2>/dev/null || echo sys-read-only
        echo $(ls /dev); ls /dev/vda /dev/vsock /dev/hvc0 2>/dev/null | wc -l
        echo x >/dev/null && head -c 4 /dev/urandom | wc -c; test -c /dev/full && ls -d /dev/shm /dev/pts /dev/mqueue'
    expect_status 0
    expect_equal "$(sed -n '1,5p' "$out")" $'0\n0\n0\nread-only\nsys-read-only'
    expect_line 'core fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero'
    expect_equal "$(tail -n 5 "$out")" $'0\n4\n/dev/mqueue\n/dev/pts\n/dev/shm'
}

case_layers_are_merged_as_the_specification_says() {
    try microvm run --entrypoint /bin/sh -u root layers -c '
        cd /; ls data; ls hidden; cat hidden/fresh; cat swap/file-then-directory/file; cat swap/directory-then-file
        cd kinds; stat -c "%F %h" one; test one -ef two && echo hard-link; readlink symbolic; cat symbolic; readlink dangling
        stat -c %F pipe; stat -c "%F %t %T" null; stat -c "%u %g" owned; stat -c %a setuid
        stat -c %s sparse; tail -c 3 sparse; echo; cat nnn*/fff*'
    expect_status 0
    expect_equal "$(cat "$out")" 'keep
fresh
fresh
now
now
regular file 2
hard-link
one
linked
/nowhere
fifo
character special file 1 3
1000 29
4755
33554435
end
long'
}

case_an_image_that_python_runs_in() {
    try microvm run debian python3 -c 'import os, sys; print(os.getpid(), sys.argv[1:])' 'a b' ''
    expect_status 0
    expect_out "1 ['a b', '']"
    try microvm run -i debian bash -s <<<'echo "from bash $BASHPID"; dpkg --print-architecture'
    expect_out $'from bash 1\namd64'
}

case_every_user_may_open_low_ports_and_icmp_sockets() {
    try microvm run -u 1000:1000 debian python3 -c '
import os, socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP) as ping:
    ping.settimeout(10)
    ping.sendto(bytes([8, 0, 0, 0, 0, 0, 0, 1]) + b"echo", ("127.0.0.1", 0))
    print(os.getuid(), ping.recv(100)[8:])
socket.socket().bind(("127.0.0.1", 80))'
    expect_status 0
    expect_out "1000 b'echo'"
}

case_resource_limits_are_dockers_and_not_the_callers() {
    # The highest possible limit: everything in a VM; for a container, the limit up to which the caller can raise its own.
    local files=1048576
    [[ $E2E_THEME != container-* ]] || files=$(prlimit --nofile=1048576 true 2>/dev/null && echo 1048576 || ulimit -Hn)
    ulimit -Sn 100
    ulimit -Sf 100000
    ulimit -Ss 1024
    ulimit -St 500
    try run_busybox sh -c 'ulimit -n; ulimit -Hn; ulimit -f; ulimit -s; ulimit -t; ulimit -v'
    expect_status 0
    expect_equal "$(cat "$out")" "$files"$'\n'"$files"$'\nunlimited\n8192\nunlimited\nunlimited'
}
