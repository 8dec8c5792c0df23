# shellcheck shell=bash disable=SC2016,SC2154 # inner shells' variables; what lib/case.sh sets
# SPDX-License-Identifier: Apache-2.0
# Broken and malicious images are refused with one clear line, or have no effect; the store does not change.

export MICROVM_STORE=$scratch/store
layout=$scratch/layout

# refuse REGEX INPUT: `image load` fails with one line that matches, and leaves nothing in the store.
refuse() {
    try microvm image load -t hostile "$2"
    expect_failure 125 "$1"
    [[ ! -d $MICROVM_STORE/tmp || -z $(ls -A "$MICROVM_STORE/tmp") ]] || fail "left in the store: $(ls -AR "$MICROVM_STORE/tmp")"
    ! microvm image inspect hostile >/dev/null 2>&1 || fail "it is stored all the same"
}

# put FILE: a blob of the layout; prints its digest.
put() {
    local digest
    digest=$(sha256sum <"$1" | cut -d' ' -f1)
    cp "$1" "$layout/blobs/sha256/$digest"
    echo "sha256:$digest"
}

descriptor() { # MEDIA_TYPE DIGEST SIZE
    jq -nc --arg type "$1" --arg digest "$2" --argjson size "$3" '{mediaType: $type, digest: $digest, size: $size}'
}

# make_layout LAYER [MEDIA_TYPE [DIFF_ID [CONFIG]]]: an OCI layout by hand, so that any part of it can be wrong. CONFIG is a
# filter of jq.
make_layout() {
    local layer config manifest type=${2:-application/vnd.oci.image.layer.v1.tar}
    rm -rf "$layout"
    mkdir -p "$layout/blobs/sha256"
    echo '{"imageLayoutVersion":"1.0.0"}' >"$layout/oci-layout"
    layer=$(put "$1")
    jq -nc --arg id "${3:-$layer}" '{architecture: "amd64", os: "linux", config: {Cmd: ["/bin/sh"]},
        rootfs: {type: "layers", diff_ids: [$id]}} | '"${4:-.}" >"$scratch/config"
    config=$(put "$scratch/config")
    jq -nc --argjson config "$(descriptor application/vnd.oci.image.config.v1+json "$config" "$(stat -c %s "$scratch/config")")" \
        --argjson layer "$(descriptor "$type" "$layer" "$(stat -c %s "$1")")" \
        '{schemaVersion: 2, mediaType: "application/vnd.oci.image.manifest.v1+json", config: $config, layers: [$layer]}' >"$scratch/manifest"
    manifest=$(put "$scratch/manifest")
    jq -nc --argjson manifest "$(descriptor application/vnd.oci.image.manifest.v1+json "$manifest" "$(stat -c %s "$scratch/manifest")")" \
        '{schemaVersion: 2, manifests: [$manifest]}' >"$layout/index.json"
}

# layer TAR_ARGUMENT…: $scratch/layer.tar by tar, in $scratch/tree.
layer() {
    tar --format=pax -C "$scratch/tree" -cf "$scratch/layer.tar" "$@"
}

# loaded: the layout is accepted, and its root unpacked to $scratch/out.
loaded() {
    try microvm image load -t hostile "$layout"
    expect_status 0
    rm -rf "$scratch/out"
    unsquashfs -d "$scratch/out" "$MICROVM_STORE"/roots/*.squashfs >/dev/null
}

mkdir -p "$scratch/tree/etc"
echo inside >"$scratch/tree/etc/file"

case_a_good_layout_by_hand_is_fine() {
    layer etc
    make_layout "$scratch/layer.tar"
    loaded
    expect_equal "$(cat "$scratch/out/etc/file")" inside
}

case_no_image_at_all() {
    refuse 'nothing' "$scratch/nothing"
    : >"$scratch/empty"
    refuse 'empty' "$scratch/empty"
    head -c 100000 /dev/urandom >"$scratch/noise"
    refuse 'noise' "$scratch/noise"
    refuse 'null' /dev/null
}

case_a_truncated_archive() {
    skopeo copy --quiet "oci:$E2E_WORK/images/busybox:latest" "oci-archive:$scratch/whole.tar:x"
    local size part
    size=$(stat -c %s "$scratch/whole.tar")
    for part in 600 5000 $((size / 2)) $((size - 20000)); do
        head -c "$part" "$scratch/whole.tar" >"$scratch/part.tar"
        refuse 'part.tar|sha256|truncated|incomplete' "$scratch/part.tar"
    done
}

case_a_truncated_blob() {
    local digest
    layer etc
    make_layout "$scratch/layer.tar"
    digest=$(sha256sum <"$scratch/layer.tar" | cut -d' ' -f1)
    truncate -s -1024 "$layout/blobs/sha256/$digest"
    refuse "${digest:0:12}" "$layout"
    rm "$layout/blobs/sha256/$digest"
    refuse "${digest:0:12}" "$layout"
}

case_a_corrupted_blob() {
    local file digest
    for file in layer.tar config manifest; do
        layer etc
        make_layout "$scratch/layer.tar"
        digest=$(sha256sum <"$scratch/$file" | cut -d' ' -f1)
        # Same size, one byte different.
        printf '#' | dd of="$layout/blobs/sha256/$digest" bs=1 seek=30 conv=notrunc status=none
        refuse "${digest:0:12}" "$layout"
    done
}

case_a_layer_that_is_not_what_the_config_says() {
    layer etc
    make_layout "$scratch/layer.tar" '' "sha256:$(printf '1%.0s' {1..64})"
    refuse '1111|diff' "$layout"
}

case_an_unknown_layer_type() {
    layer etc
    make_layout "$scratch/layer.tar" application/x-mystery
    refuse 'application/x-mystery' "$layout"
}

# A terminal interprets what follows an escape character.
case_text_that_is_meant_for_the_terminal() {
    layer etc
    make_layout "$scratch/layer.tar" '' '' '.history = [{created: "\u001b[2J", created_by: "\u001b]0;owned\u0007", comment: "\u009b31m\n"}] |
        .config = {Entrypoint: ["\u001b[2Jnone"], WorkingDir: "\u001b[2J", User: "\u001b[2J"}'
    loaded
    try microvm image history hostile
    expect_status 0
    expect_match '\?\]0;owned\? .*\?31m\?$'
    ! grep -q '[[:cntrl:]]' "$out" || fail 'control characters in the history'
    try microvm run --isolation=container hostile
    expect_status 125
    ! grep -q '[[:cntrl:]]' "$err" || fail 'control characters in a message'
    try microvm run --isolation=container -u 0 -w / hostile
    expect_status 127
    ! grep -q '[[:cntrl:]]' "$err" || fail 'control characters in a message'
}

case_digests_that_are_paths() {
    layer etc
    make_layout "$scratch/layer.tar"
    jq -c '.manifests[0].digest = "sha256:../../../../../../etc/passwd"' "$layout/index.json" >"$scratch/index"
    cp "$scratch/index" "$layout/index.json"
    refuse 'digest|etc/passwd' "$layout"
    make_layout "$scratch/layer.tar"
    rm -r "$layout/blobs"
    ln -s / "$layout/blobs"
    refuse 'sha256|blobs' "$layout"
}

case_json_that_is_none() {
    layer etc
    make_layout "$scratch/layer.tar"
    echo '{"schemaVersion": 2, "manifests": [' >"$layout/index.json"
    refuse 'index.json' "$layout"
    echo '{"schemaVersion": 2, "manifests": 5}' >"$layout/index.json"
    refuse 'index.json|manifests' "$layout"
    echo '{"schemaVersion": 2, "manifests": []}' >"$layout/index.json"
    refuse 'index.json|no image|manifest' "$layout"
    head -c 200000 /dev/zero | tr '\0' '[' >"$layout/index.json"
    refuse 'index.json' "$layout"
}

case_names_that_point_outside() {
    # Absolute names and `..` are either refused or confined; the host's files are never touched.
    echo evil >"$scratch/tree/evil"
    layer -P --transform 's,^evil,../../../../../../../../../tmp/e2e-escaped,' evil
    make_layout "$scratch/layer.tar"
    refuse '\.\.' "$layout"
    layer -P --transform "s,^evil,$scratch/escaped," evil
    make_layout "$scratch/layer.tar"
    try microvm image load -t hostile "$layout"
    [[ $status == 0 ]] || expect_failure 125 'absolute|escaped'
    [[ ! -e $scratch/escaped && ! -e /tmp/e2e-escaped ]] || fail "the archive escaped"
}

case_links_that_lead_outside() {
    # A symbolic link to somewhere on the host, then a file through it.
    ln -s "$scratch/outside" "$scratch/tree/link"
    mkdir "$scratch/outside"
    layer link
    rm "$scratch/tree/link"
    mkdir "$scratch/tree/link"
    echo evil >"$scratch/tree/link/file"
    tar --format=pax -C "$scratch/tree" -rf "$scratch/layer.tar" link/file
    make_layout "$scratch/layer.tar"
    try microvm image load -t hostile "$layout"
    [[ $status == 0 ]] || expect_failure 125 'link'
    expect_equal "$(ls -A "$scratch/outside")" '' 'what was written outside'

    # A hard link to a file of the host.
    rm -rf "$MICROVM_STORE"
    ln "$scratch/tree/etc/file" "$scratch/tree/etc/link"
    layer -P --transform 'flags=h;s,^etc/file,../../../../../../../../etc/passwd,' etc/file etc/link
    make_layout "$scratch/layer.tar"
    refuse '\.\.|link' "$layout"
}

case_links_in_circles() {
    ln -s b "$scratch/tree/a"
    ln -s a "$scratch/tree/b"
    layer a b etc
    rm "$scratch/tree/a"
    mkdir "$scratch/tree/a"
    echo through >"$scratch/tree/a/file"
    tar --format=pax -C "$scratch/tree" -rf "$scratch/layer.tar" a/file
    make_layout "$scratch/layer.tar"
    try timeout 60 "$MICROVM" image load -t hostile "$layout"
    [[ $status == 0 ]] || expect_failure 125 'a'

    # A hard link to itself.
    rm -rf "$MICROVM_STORE"
    ln "$scratch/tree/etc/file" "$scratch/tree/etc/self"
    layer --transform 'flags=h;s,^etc/file,etc/self,' etc/file etc/self
    make_layout "$scratch/layer.tar"
    refuse 'etc/self' "$layout"
}

case_one_name_twice_is_the_last_one() {
    echo first >"$scratch/tree/name"
    layer name
    echo second >"$scratch/tree/name"
    tar --format=pax -C "$scratch/tree" -rf "$scratch/layer.tar" name
    rm "$scratch/tree/name"
    mkdir "$scratch/tree/name"
    tar --format=pax -C "$scratch/tree" -rf "$scratch/layer.tar" name
    make_layout "$scratch/layer.tar"
    try microvm image load -t hostile "$layout"
    if [[ $status == 0 ]]; then
        unsquashfs -lls "$MICROVM_STORE"/roots/*.squashfs | grep -E '^d.*name$' >/dev/null
    else
        expect_failure 125 name
    fi
}

case_a_directory_replaced_by_a_link_hides_nothing_behind_it() {
    mkdir -p "$scratch/tree/dir"
    echo x >"$scratch/tree/dir/x"
    layer dir
    rm -r "$scratch/tree/dir"
    ln -s etc "$scratch/tree/dir"
    tar --format=pax -C "$scratch/tree" -rf "$scratch/layer.tar" dir
    make_layout "$scratch/layer.tar"
    try microvm image load -t hostile "$layout"
    [[ $status == 0 ]] || expect_failure 125 dir
}

case_a_whiteout_of_everything_above() {
    touch "$scratch/tree/.wh..."
    touch "$scratch/tree/.wh.."
    layer .wh... .wh..
    make_layout "$scratch/layer.tar"
    try microvm image load -t hostile "$layout"
    [[ $status == 0 ]] || expect_failure 125 '\.wh\.'
}

case_a_bomb_is_bounded() {
    # 3 GiB of zeros in 3 MiB: they take no memory, and a store without space reports it.
    truncate -s 3G "$scratch/tree/zeros"
    tar --format=pax -C "$scratch/tree" -cf - zeros | gzip -1 >"$scratch/bomb.tar.gz"
    rm "$scratch/tree/zeros"
    make_layout "$scratch/bomb.tar.gz" application/vnd.oci.image.layer.v1.tar+gzip \
        "sha256:$(gzip -dc "$scratch/bomb.tar.gz" | sha256sum | cut -d' ' -f1)"
    try bash -c 'ulimit -v 1500000; exec "$MICROVM" image load -t hostile "$1"' - "$layout"
    [[ $status == 0 ]] || expect_failure 125 .
    [[ ! -d $MICROVM_STORE/roots ]] || expect_at_most "$(du -sk "$MICROVM_STORE/roots" | cut -f1)" 65536 'KiB of root'
}

case_no_room_in_the_store() {
    mkdir "$scratch/small"
    # shellcheck disable=SC2016 # the inner shell's
    try in_private_mounts 'mount -t tmpfs -o size=2m small "$1/small"; status=0
        MICROVM_STORE=$1/small/store "$MICROVM" image load -t debian "$E2E_WORK/images/debian" || status=$?
        [[ ! -d $1/small/store/tmp || -z $(ls -A "$1/small/store/tmp") ]] || exit 99; exit "$status"' - "$scratch"
    expect_failure 125 '([Nn]o space|full)'
}

case_a_store_that_is_none() {
    echo file >"$scratch/store"
    try microvm image load -t x "$E2E_WORK/images/busybox"
    expect_failure 125 "$scratch/store"
    rm "$scratch/store"
    mkdir -m 555 "$scratch/store"
    try as_nobody env MICROVM_STORE="$scratch/store" "$MICROVM" image load -t x "$E2E_WORK/images/busybox"
    expect_failure 125 "$scratch/store"
}

case_killed_in_the_middle() {
    local loader
    # Not through the function, whose process would be a shell.
    "$MICROVM" image load -t killed-in-the-middle "$E2E_WORK/images/debian" >/dev/null 2>&1 &
    loader=$!
    wait_for has_begun
    kill -KILL "$loader"
    wait "$loader" || true
    wait_for no_import
    try microvm image ls
    expect_status 0
    microvm image prune >/dev/null
    expect_equal "$(ls -A "$MICROVM_STORE/tmp" 2>/dev/null)" ''
    microvm image load -t busybox "$E2E_WORK/images/busybox" >/dev/null
}

has_begun() {
    [[ -n $(ls -A "$MICROVM_STORE/tmp") ]]
}

no_import() {
    ! pgrep -f -- 'microvm-import.*killed-in-the-middle'
}
