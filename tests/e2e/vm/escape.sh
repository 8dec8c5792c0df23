# shellcheck shell=bash disable=SC2154 # what lib/case.sh sets
# SPDX-License-Identifier: Apache-2.0
# A compromised monitor: a build that tries to escape as soon as it is in its jail (tests/escape/attempts.c). All layers but
# the list of system calls must stop it, and that list alone.
# limit: 600 s a case: one launch per attempt and thread

# The targets of the attempts. The program and everything it needs are where nobody can read them.
prepare_escape() {
    chmod 755 "$scratch"
    cp "$E2E_BUILD/escape/microvm" "$scratch/microvm"
    cp -L "$E2E_BUILD/vmlinux" "$scratch/vmlinux"
    chmod 755 "$scratch/microvm"
    chmod 644 "$scratch/vmlinux"
    mkdir -m 777 "$scratch/target" "$scratch/run"
    echo secret >"$scratch/target/file"
    chmod 666 "$scratch/target/file"
    sleep 1000 &
    victim=$!
    socat "UNIX-LISTEN:$scratch/target/socket,fork,mode=777" PIPE &
    helpers=("$victim" $!)
    socat ABSTRACT-LISTEN:microvm-escape,fork PIPE &
    helpers+=($!)
    socat TCP-LISTEN:2022,bind=127.0.0.1,fork,reuseaddr PIPE &
    helpers+=($!)
    segment=$(ipcmk -M 4 -p 0666 | grep -o '[0-9]*$')
    key=$(($(ipcs -m | awk -v id="$segment" '$2 == id { print $1 }')))
    wait_for test -S "$scratch/target/socket"
    mknod -m 666 "$scratch/kvm" c 10 232
    trap 'kill "${helpers[@]}"; ipcrm -m "$segment"' EXIT
}

# plan THREAD HOW NAME: what the next monitor tries.
plan() {
    echo "$1 $2 $3 $scratch/target $victim $key" >"$scratch/attempt"
    chmod 644 "$scratch/attempt"
}

# launch USER: a VM whose monitor tries it; root or nobody.
launch() {
    local monitor=(env MICROVM_RUNTIME="$scratch/run/$1" "$scratch/microvm" boot --kernel "$scratch/vmlinux")
    if [[ $1 == root ]]; then
        try "${monitor[@]}"
    else
        # shellcheck disable=SC2016 # the inner shell's
        try in_private_mounts 'mount --bind "$0" /dev/kvm; exec setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all -- "$@"' \
            "$scratch/kvm" "${monitor[@]}"
    fi
}

# Namespaces, root directory, Landlock, user and capabilities alone stop each attempt.
escape_without_filter() {
    local user=$1 thread name
    prepare_escape
    plan none bare none
    try "$scratch/microvm" --bare
    [[ ! -s $err ]] || fail "outside of a jail: $(<"$err")"
    for thread in loop vcpu; do
        plan "$thread" unfiltered all
        launch "$user"
        grep -q '^escape: all: done$' "$err" || fail "the attempts of thread $thread were not made"
        ! grep ESCAPED "$err" || fail "thread $thread of $user's monitor got out"
        for name in $("$scratch/microvm" --list | head -n -3); do
            grep -q "^escape: $name: E[A-Z0-9]*$" "$err" || fail "$name was not tried"
        done
    done
    expect_equal "$(<"$scratch/target/file")" secret 'the file'
    kill -0 "$victim" || fail 'the other process is gone'
}

# The thread's list of system calls alone stops each attempt, and kills the monitor.
escape_through_filter() {
    local user=$1 thread name count=0
    prepare_escape
    for thread in loop vcpu; do
        for name in $("$scratch/microvm" --list); do
            plan "$thread" filtered "$name"
            launch "$user"
            expect_status 125
            ! grep "^escape: $name" "$err" || fail "$name: thread $thread of $user's monitor may do it"
            expect_err_match 'ended by signal 31'
            count=$((count + 1))
        done
    done
    ((count >= 44)) || fail "only $count attempts were made"
    expect_equal "$(<"$scratch/target/file")" secret 'the file'
    kill -0 "$victim" || fail 'the other process is gone'
}

case_roots_monitor_without_its_filter() {
    escape_without_filter root
}

case_nobodys_monitor_without_its_filter() {
    escape_without_filter nobody
}

case_roots_monitor_through_its_filter() {
    escape_through_filter root
}

case_nobodys_monitor_through_its_filter() {
    escape_through_filter nobody
}

case_a_complete_jail_can_be_required() {
    try microvm run --jail=required busybox true
    expect_status 0
    try microvm run --jail=maybe busybox true
    expect_failure 125 "^microvm: --jail: 'maybe' is unknown; use auto or required"
    try microvm run --jail-uid 4294967295 busybox true
    expect_failure 125 '--jail-uid'
    try microvm run --isolation=container --jail=required busybox true
    expect_failure 125 '--jail=required: --isolation=container has no monitor'
    # Without namespaces a plain user's jail is incomplete, and doctor reports it.
    local most
    most=$(</proc/sys/user/max_user_namespaces)
    # shellcheck disable=SC2064 # as it is now
    trap "echo $most >/proc/sys/user/max_user_namespaces" EXIT
    echo 0 >/proc/sys/user/max_user_namespaces
    try as_nobody "$MICROVM" doctor
    expect_match "^warn  monitor's jail +without own namespaces: "
}

# The user of root's monitor is in the range, and each monitor has its own.
case_root_gives_each_monitor_a_user_of_its_own() {
    local user
    start "$MICROVM" run --jail-uid 3000000000 busybox sleep 8
    wait_for supervisor_of "$pid"
    wait_for grep -qx $'Seccomp:\t2' "/proc/$(supervisor_of "$pid")/status"
    user=$(awk '/^Uid:/ { print $2 }' "/proc/$(supervisor_of "$pid")/status")
    expect_equal "$user" $((3000000000 + pid)) 'user of the monitor'
    kill "$pid"
    finish
}
