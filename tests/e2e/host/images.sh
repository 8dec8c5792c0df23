# shellcheck shell=bash disable=SC2016,SC2154 # inner shells' variables; what lib/case.sh sets
# SPDX-License-Identifier: Apache-2.0
# Purpose: the image store: every way in, and what can be asked and done there. Each case has a store of its own.

export MICROVM_STORE=$scratch/store
images=$E2E_WORK/images

load() {
    microvm image load "$@"
}

# id NAME: the image ID as `inspect` tells it.
id() {
    microvm image inspect "$1" | jq -r 'if type == "array" then .[0] else . end | .Id // .id'
}

# root NAME: path of the stored root file system.
root() {
    local id
    id=$(id "$1")
    echo "$MICROVM_STORE/roots/${id#sha256:}.squashfs"
}

case_every_form_of_one_image_is_the_same_image() {
    local first=
    skopeo copy --quiet "oci:$images/busybox:latest" "oci:$scratch/layout:v1"
    skopeo copy --quiet "oci:$images/busybox:latest" "oci-archive:$scratch/archive.tar:v1"
    skopeo copy --quiet "oci:$images/busybox:latest" "docker-archive:$scratch/docker.tar:busybox:v1"
    load -t one "$scratch/layout" && load -t two "$scratch/archive.tar" && load -t three "$scratch/docker.tar"
    gzip -k "$scratch/archive.tar"
    load -t four "$scratch/archive.tar.gz"
    load -t five - <"$scratch/docker.tar"
    first=$(id one)
    for name in two four; do
        expect_equal "$(id "$name")" "$first" "ID of $name"
    done
    # docker's format has a config of its own words; the files are the same.
    unsquashfs -lls "$(root one)" | grep -w bin/busybox >/dev/null
    cmp "$(root one)" "$(root three)"
    expect_equal "$(id five)" "$(id three)"
}

case_layers_of_every_compression() {
    local format
    for format in gzip zstd; do
        skopeo copy --quiet --dest-compress-format "$format" --dest-force-compress-format "oci:$images/layers:latest" "oci:$scratch/$format:x" ||
            skopeo copy --quiet --dest-compress --dest-compress-format "$format" "oci:$images/layers:latest" "dir:$scratch/$format.dir"
        [[ -d $scratch/$format ]] || skopeo copy --quiet "dir:$scratch/$format.dir" "oci:$scratch/$format:x"
        load -t "$format" "$scratch/$format"
    done
    skopeo copy --quiet --dest-decompress "oci:$images/layers:latest" "dir:$scratch/plain.dir"
    skopeo copy --quiet "dir:$scratch/plain.dir" "oci:$scratch/plain:x"
    load -t plain "$scratch/plain"
    cmp "$(root gzip)" "$(root zstd)"
    cmp "$(root gzip)" "$(root plain)"
}

case_a_plain_root_file_system() {
    mkdir -p "$scratch/rootfs/bin" "$scratch/rootfs/etc"
    cp "$(command -v busybox)" "$scratch/rootfs/bin/"
    ln -s busybox "$scratch/rootfs/bin/sh"
    echo 'app:x:7:7::/:/bin/sh' >"$scratch/rootfs/etc/passwd"
    load -t directory "$scratch/rootfs"
    tar -C "$scratch/rootfs" -czf "$scratch/rootfs.tar.gz" .
    load -t tarball "$scratch/rootfs.tar.gz"
    for name in directory tarball; do
        unsquashfs -cat "$(root "$name")" etc/passwd | grep '^app:' >/dev/null
    done
}

case_what_umoci_took_away_is_gone() {
    load -t layers "$images/layers"
    unsquashfs -d "$scratch/out" "$(root layers)" >/dev/null
    expect_equal "$(ls "$scratch/out/data")" keep
    expect_equal "$(ls "$scratch/out/hidden")" fresh
    expect_equal "$(cat "$scratch/out/swap/directory-then-file")" now
    [[ $scratch/out/kinds/one -ef $scratch/out/kinds/two ]]
    expect_equal "$(getfattr --only-values -n user.note "$scratch/out/kinds/attribute")" written
    expect_equal "$(stat -c '%u %g %a' "$scratch/out/kinds/owned")" '1000 29 644'
    expect_at_most "$(stat -c %s "$(root layers)")" $((8 << 20)) 'bytes of a root with a sparse file of 32 MiB'
}

case_the_same_input_gives_the_same_bytes() {
    load -t a "$images/layers"
    cp "$(root a)" "$scratch/first"
    rm -r "$MICROVM_STORE"
    load -t a "$images/layers"
    cmp "$scratch/first" "$(root a)"
}

case_list_inspect_history() {
    load -t layers:v1 "$images/layers"
    try microvm image ls
    expect_status 0
    expect_match '^(REPOSITORY|NAME|IMAGE) '
    expect_match '^layers[: ]+v1 '
    try microvm image inspect layers:v1
    expect_status 0
    jq -e 'if type == "array" then .[0] else . end | .. | objects | select(.Entrypoint?) | .Entrypoint == ["/bin/echo", "entry"]' "$out"
    expect_match 'SPACED=two words'
    try microvm image history layers:v1
    expect_status 0
    expect_match third
    expect_match busybox
    try microvm image inspect nothing
    expect_failure 125 nothing
}

case_tag_remove_prune() {
    local before
    load -t busybox "$images/busybox"
    microvm image tag busybox other:v2
    expect_equal "$(id busybox)" "$(id other:v2)"
    try microvm image rm busybox
    expect_status 0
    try microvm image inspect busybox
    expect_failure 125 busybox
    microvm image inspect other:v2 >/dev/null
    try microvm image rm busybox
    expect_failure 125 busybox

    # Something that an interrupted import left, and an image that loses its name.
    mkdir -p "$MICROVM_STORE/tmp/interrupted"
    head -c 1M /dev/zero >"$MICROVM_STORE/tmp/interrupted/blob"
    load -t layers "$images/layers"
    before=$(du -s "$MICROVM_STORE" | cut -f1)
    microvm image rm layers
    try microvm image prune
    expect_status 0
    expect_equal "$(ls -A "$MICROVM_STORE/tmp" 2>/dev/null)" ''
    (($(du -s "$MICROVM_STORE" | cut -f1) < before))
    expect_equal "$(find "$MICROVM_STORE/roots" -name '*.squashfs' | wc -l)" 1 roots
    microvm image inspect other:v2 >/dev/null
    microvm image rm other:v2
    microvm image prune
    expect_equal "$(find "$MICROVM_STORE/blobs" "$MICROVM_STORE/roots" -type f | wc -l)" 0 'files left'
}

case_ids_and_digests_name_images_too() {
    local digest
    load -t busybox "$images/busybox"
    digest=$(id busybox)
    expect_equal "$(id "$digest")" "$digest"
    expect_equal "$(id "${digest#sha256:}")" "$digest"
    expect_equal "$(id "${digest:7:12}")" "$digest"
    try microvm image inspect sha256:0000000000000000000000000000000000000000000000000000000000000000
    expect_failure 125 0000
}

case_loading_at_the_same_time() {
    local first second
    microvm image load -t one "$images/layers" >"$scratch/1" 2>&1 &
    first=$!
    microvm image load -t two "$images/layers" >"$scratch/2" 2>&1 &
    second=$!
    wait "$first" && wait "$second"
    expect_equal "$(id one)" "$(id two)"
    expect_equal "$(ls -A "$MICROVM_STORE/tmp" 2>/dev/null)" ''
}

case_as_a_user_without_rights() {
    mkdir -m 777 "$scratch/home"
    cp -r "$images/busybox" "$scratch/busybox"
    chmod -R a+rX "$scratch/busybox"
    try as_nobody env -u MICROVM_STORE -u XDG_DATA_HOME HOME="$scratch/home" "$MICROVM" image load -t busybox "$scratch/busybox"
    expect_status 0
    try as_nobody env -u MICROVM_STORE -u XDG_DATA_HOME HOME="$scratch/home" "$MICROVM" image ls
    expect_match busybox
    test -f "$scratch/home/.local/share/microvm/index.json"
    # What belongs to root in the image does so in the root file system, too, without a root to make it.
    unsquashfs -lls "$scratch"/home/.local/share/microvm/roots/*.squashfs | grep 'root/root.*etc/passwd' >/dev/null
}

case_an_inherited_sigchld_does_not_matter() {
    env --ignore-signal=CHLD "$MICROVM" image load -t one "$images/busybox"
    id one
}
