# shellcheck shell=bash disable=SC2016,SC2154 # inner shells' variables; what lib/case.sh sets
# SPDX-License-Identifier: Apache-2.0
# --network=passt: a guest reaches what the host reaches, but not the host's own loopback.

# Runs a shell script in a network of its own: 10.9.0.1 is the host's address, with a web server on it and another one on
# its loopback.
in_own_network() {
    mkdir -p "$scratch/www"
    echo 'page of the host' >"$scratch/www/index.html"
    head -c 3000000 /dev/urandom >"$scratch/www/large"
    unshare --net --kill-child --fork bash -euo pipefail -c '
        ip link set lo up
        ip link add dummy0 type dummy
        ip address add 10.9.0.1/24 dev dummy0
        ip link set dummy0 up
        cd "$1"
        for address in 10.9.0.1 127.0.0.1; do
            python3 -m http.server 8000 --bind "$address" >/dev/null 2>&1 &
        done
        for address in 10.9.0.1 127.0.0.1; do
            for _ in {1..100}; do (exec 3<>"/dev/tcp/$address/8000") 2>/dev/null && break; sleep 0.1; done
        done
        status=0
        eval "$2" || status=$?
        kill $(jobs -p)
        exit "$status"' - "$scratch/www" "$1"
}

# In the guest: get ADDRESS PATH.
get='get() { exec 3<>"/dev/tcp/$1/8000" || return 1; printf "GET %s HTTP/1.0\r\n\r\n" "$2" >&3; cat <&3; exec 3>&-; }; '

case_a_guest_reaches_what_the_host_reaches() {
    export GUEST=$get'get 10.9.0.1 / | tail -n 1; get 10.9.0.1 /large | tail -c 3000000 | sha256sum'
    try in_own_network '"$MICROVM" run --network=passt debian bash -c "$GUEST"'
    expect_status 0
    expect_equal "$(sed -n 1p "$out")" 'page of the host'
    expect_equal "$(sed -n 2p "$out")" "$(sha256sum <"$scratch/www/large")"
    expect_equal "$(cat "$err")" ''
}

case_a_default_route_changes_nothing() {
    export GUEST=$get'get 10.9.0.1 / | tail -n 1'
    try in_own_network 'ip route add default via 10.9.0.2; "$MICROVM" run --network=passt debian bash -c "$GUEST"'
    expect_status 0
    expect_out 'page of the host'
}

# Neither as the gateway nor as an address that the guest routes out on purpose.
case_the_hosts_loopback_is_closed() {
    export GUEST='for address in 203.0.113.2 127.0.0.1; do
        timeout 5 bash -c "exec 3<>/dev/tcp/$address/8000" 2>/dev/null && echo "reached $address"; done; echo closed'
    try in_own_network '"$MICROVM" run --network=passt debian bash -c "$GUEST"'
    expect_status 0
    expect_out closed
}

case_addresses_and_names() {
    try in_own_network '"$MICROVM" run --network=passt --hostname box busybox sh -c "
        ip -4 address show dev eth0 | grep -o \"inet [0-9./]*\"; ip route | head -n 1; cat /etc/resolv.conf; grep box /etc/hosts"'
    expect_status 0
    expect_equal "$(cat "$out")" $'inet 203.0.113.15/24\ndefault via 203.0.113.2 dev eth0 \nnameserver 203.0.113.3\n203.0.113.15\tbox'
}

# From the host's address and from its loopback; two ports of a range.
case_published_ports() {
    try in_own_network '
        "$MICROVM" run -p 9000-9001:80-81 busybox sh -c "
            echo guest >/index.html; httpd -p 80 -h /; httpd -p 81 -h /
            echo ready; while test -e /index.html; do sleep 0.1; done" >"$1/out" &
        for _ in {1..600}; do grep -q ready "$1/out" && break; sleep 0.1; done
        for at in 10.9.0.1/9000 127.0.0.1/9000 10.9.0.1/9001; do
            exec 3<>"/dev/tcp/$at"; printf "GET /index.html HTTP/1.0\r\n\r\n" >&3; tail -n 1 <&3; exec 3>&-
        done
        kill -TERM $!; kill -KILL $!; wait $! || true'
    expect_status 0
    expect_equal "$(cat "$out")" $'guest\nguest\nguest'
    microvm image ls >/dev/null # removes what the killed one has left
}

case_a_published_udp_port() {
    export GUEST='use Socket; $| = 1; socket(S, PF_INET, SOCK_DGRAM, 0); bind(S, sockaddr_in(53, INADDR_ANY)); print "ready\n";
        recv(S, $word, 9, 0); print $word'
    try in_own_network '
        "$MICROVM" run -p 127.0.0.1:9053:53/udp debian perl -e "$GUEST" >"$1/out" &
        for _ in {1..600}; do grep -q ready "$1/out" && break; sleep 0.1; done
        for _ in {1..100}; do (echo word >/dev/udp/127.0.0.1/9053) 2>/dev/null || true; grep -q word "$1/out" && break; sleep 0.1; done
        wait $!
        cat "$1/out"'
    expect_status 0
    expect_equal "$(cat "$out")" $'ready\nword'
}

case_a_port_in_use_is_refused_before_the_boot() {
    try in_own_network '"$MICROVM" run -p 8000:80 busybox echo booted'
    expect_failure 125 '--publish: 0\.0\.0\.0:8000 is in use; choose another port'
}

case_none_is_the_default() {
    local arguments
    for arguments in '' --network=none; do
        # shellcheck disable=SC2086 # no argument, or one
        try microvm run $arguments busybox sh -c 'ls /sys/class/net; cat /etc/resolv.conf'
        expect_status 0
        expect_out lo
    done
}

case_what_cannot_be_is_refused() {
    local tools=$scratch/tools
    try microvm run --network=wire busybox true
    expect_failure 125 "--network: unknown network 'wire'; available: none, passt"
    try microvm run -p 80 busybox true
    expect_failure 125 "--publish: '80' is not \\[IP:\\]HOST:GUEST"
    try microvm run -p 80:80 --network=none busybox true
    expect_failure 125 '--publish needs a network: use --network=passt'
    try microvm run --network=passt --isolation=container busybox true
    expect_failure 125 '--network: --isolation=container has no network yet; use --isolation=vm'
    mkdir "$tools"
    PATH=$tools try "$MICROVM" run --network=passt busybox true
    # The sbin directories are searched, too: passt is in none of them.
    expect_failure 125 'passt not found in PATH; install it \(package passt\), or use --network=none'
}

# A passt that dies leaves a guest without a network, a line that says so, and nothing else.
case_a_passt_that_dies_is_reported() {
    try in_own_network '
        "$MICROVM" run --network=passt busybox sh -c "echo up
            while grep -q 1 /sys/class/net/eth0/carrier; do sleep 0.1; done; echo down" >"$1/said" &
        for _ in {1..600}; do grep -q up "$1/said" && break; sleep 0.1; done
        pkill -KILL passt
        wait $!
        cat "$1/said"'
    expect_status 0
    expect_equal "$(cat "$out")" $'up\ndown'
    expect_err_match 'passt ended early \(signal 9\)'
}

case_nothing_is_left() {
    try in_own_network '
        "$MICROVM" run --network=passt busybox sleep 100 &
        for _ in {1..600}; do pgrep passt >/dev/null && break; sleep 0.1; done
        sleep 2
        kill -KILL $!
        for _ in {1..100}; do pgrep passt >/dev/null || break; sleep 0.1; done
        ! pgrep -l passt'
    expect_status 0
    microvm image ls >/dev/null # removes what the killed one has left
}
