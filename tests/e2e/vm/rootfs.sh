# shellcheck shell=bash disable=SC2016,SC2154 # inner shells' variables; what lib/case.sh sets
# SPDX-License-Identifier: Apache-2.0
# Root file systems as real images have them: links and files at mount points, unusual passwd files.

export MICROVM_STORE=$scratch/store
tree=$scratch/tree
mkdir -p "$tree/bin" "$tree/etc"
cp "$(command -v busybox)" "$tree/bin/busybox"
for program in sh cat ls id readlink grep true; do
    ln -s busybox "$tree/bin/$program"
done

# run_tree OPTION… SCRIPT: what is in $tree, as an image.
run_tree() {
    microvm image load -q -t tree "$tree" >/dev/null
    try microvm run "${@:1:$#-1}" tree sh -c "${@: -1}"
}

case_links_that_lead_to_nothing() {
    ln -s ../run/resolved/resolv.conf "$tree/etc/resolv.conf"
    ln -s /run/names/hosts "$tree/etc/hosts"
    ln -s ../../../../../../escaped/hostname "$tree/etc/hostname"
    ln -s /run/temporary "$tree/tmp"
    ln -s run/data "$tree/data"
    run_tree --hostname box --tmpfs /tmp --tmpfs /data/deep '
        cat /etc/hostname /escaped/hostname; grep -c box /etc/hosts /run/names/hosts; ls /run/resolved
        readlink /etc/hosts; grep -c -e " /run/temporary " -e " /run/data/deep " /proc/mounts'
    expect_status 0
    expect_equal "$(cat "$out")" $'box\nbox\n/etc/hosts:1\n/run/names/hosts:1\nresolv.conf\n/run/names/hosts\n2'
    [[ ! -e /escaped && ! -e /run/names ]] || fail 'a link led out of the root'
    # A directory that /etc links to, and one that exists.
    rm -r "${tree:?}/etc" "$tree/tmp"
    ln -s usr/etc "$tree/etc"
    mkdir "$tree/run"
    ln -s run "$tree/tmp"
    run_tree --hostname box --read-only --tmpfs /tmp 'cat /usr/etc/hostname; grep -c " /run " /proc/mounts'
    expect_status 0
    expect_equal "$(cat "$out")" $'box\n1'
}

case_what_is_mounted_deeper_is_on_top() {
    ln -s ../run/hosts "$tree/etc/hosts"
    run_tree --hostname box --read-only --tmpfs /etc/sub --tmpfs /run --tmpfs /etc 'ls /etc; cat /etc/hostname; grep -c box /etc/hosts'
    expect_status 0
    expect_equal "$(cat "$out")" $'hostname\nhosts\nresolv.conf\nsub\nbox\n1'
    run_tree --hostname box --read-only --tmpfs /run 'grep -c box /run/hosts'
    expect_out 1
}

case_another_kind_than_is_needed_is_refused() {
    mkdir "$tree/etc/hosts"
    run_tree 'true'
    expect_failure 125 '/etc/hosts of the image is a directory, and a file is to be mounted there$'
    rmdir "$tree/etc/hosts"
    ln -s . "$tree/etc/hostname"
    run_tree 'true'
    expect_failure 125 '/etc/hostname of the image is a directory'
    rm "$tree/etc/hostname"
    ln -s resolv.conf "$tree/etc/resolv.conf"
    run_tree 'true'
    expect_failure 125 '/etc/resolv.conf of the image cannot be mounted on: .*[Ll]ink'
    rm "$tree/etc/resolv.conf"
    : >"$tree/tmp"
    run_tree --tmpfs /tmp 'true'
    expect_failure 125 '/tmp of the image is not a directory'
    rm -r "$tree/tmp" "${tree:?}/etc"
    : >"$tree/etc"
    run_tree 'true'
    expect_failure 125 '/etc/hosts of the image cannot be mounted on: Not a directory'
    rm "$tree/etc"
    ln -s bin "$tree/proc"
    run_tree 'true'
    expect_failure 125 '/proc'
    rm "$tree/proc"
    : >"$tree/dev"
    run_tree 'true'
    expect_failure 125 '/dev of the image is not a directory'
}

case_odd_lines_in_passwd_and_group() {
    printf '\nroot:x:0:0:root:/root:/bin/sh\r\n+@nis::::::\nthree:x:3\n  six:x:6:7::/six\r\nlast:x:9:9::/last' >"$tree/etc/passwd"
    printf 'two:x:2:six\r\nshort\nlast:x:55:six,last' >"$tree/etc/group"
    run_tree -u six 'id -u; id -g; id -G; echo $HOME'
    expect_equal "$(cat "$out")" $'6\n7\n7 2 55\n/six'
    run_tree -u three 'id -u; id -g; echo $HOME'
    expect_equal "$(cat "$out")" $'3\n0\n/'
    run_tree -u last:two 'id -u; id -g; echo $HOME'
    expect_equal "$(cat "$out")" $'9\n2\n/last'
    run_tree -u '@nis' 'true'
    expect_failure 125 'unable to find user @nis'
}
