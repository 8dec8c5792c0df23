# shellcheck shell=bash disable=SC2016,SC2154 # inner shells' variables; what lib/case.sh sets
# SPDX-License-Identifier: Apache-2.0
# The image store: every way to import, and every command. Each case has its own store.

export MICROVM_STORE=$scratch/store
images=$E2E_WORK/images

load() {
    microvm image load "$@"
}

# id NAME: the image ID as `inspect` shows it.
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
    # docker's format has a different config; the files are the same.
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

    # Leftovers of an interrupted import, and an image that loses its name.
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
    # Root's files in the image belong to root in the root file system too, even if a plain user imports it.
    unsquashfs -lls "$scratch"/home/.local/share/microvm/roots/*.squashfs | grep 'root/root.*etc/passwd' >/dev/null
}

case_an_inherited_sigchld_does_not_matter() {
    env --ignore-signal=CHLD "$MICROVM" image load -t one "$images/busybox"
    id one
}

# kind WHAT LOAD...: the format that `image load` recognised.
kind() {
    local what=$1
    shift
    expect_equal "$(load "$@" | sed 's/.*(\(.*\))$/\1/')" "$what" "the kind of $*"
}

case_what_an_image_is_known_by() {
    cp -r "$images/busybox" "$scratch/layout"
    kind 'OCI layout' -t one "$scratch/layout"
    echo 'how to load this' >"$scratch/layout/README.md"
    mkdir "$scratch/layout/docs"
    kind 'OCI layout' -t two "$scratch/layout"
    tar -C "$scratch/layout" -cf "$scratch/extra.tar" .
    kind 'OCI layout' -t three "$scratch/extra.tar"
    rm "$scratch/layout/oci-layout"
    kind 'OCI layout' -t four "$scratch/layout"
    expect_equal "$(id one)" "$(id four)"

    skopeo copy --quiet "oci:$images/busybox:latest" "docker-archive:$scratch/docker.tar:busybox:v1"
    kind 'docker archive' "$scratch/docker.tar"
    mkdir "$scratch/unpacked"
    tar -C "$scratch/unpacked" -xf "$scratch/docker.tar"
    kind 'docker archive' -t five "$scratch/unpacked"
    # The name that jib gives its config; and files that no image needs.
    mv "$scratch/unpacked/$(jq -r '.[0].Config' "$scratch/unpacked/manifest.json")" "$scratch/unpacked/config.json"
    jq -c '.[0].Config = "config.json"' "$scratch/unpacked/manifest.json" >"$scratch/manifest"
    mv "$scratch/manifest" "$scratch/unpacked/manifest.json"
    tar -C "$scratch/unpacked" -cf "$scratch/jib.tar" .
    kind 'docker archive' -t six "$scratch/jib.tar"
    expect_equal "$(id five)" "$(id six)"

    # Broken: refused as an image, not treated as a root file system.
    rm "$scratch/unpacked/manifest.json"
    try microvm image load -t seven "$scratch/unpacked"
    expect_failure 125 'neither index.json nor manifest.json'
    tar -C "$scratch" -cf "$scratch/folder.tar" layout
    try microvm image load -t seven "$scratch/folder.tar"
    expect_failure 125 "in its folder 'layout'"
    skopeo copy --quiet "oci:$images/busybox:latest" "dir:$scratch/dir"
    try microvm image load -t seven "$scratch/dir"
    expect_failure 125 'skopeo copy dir:'
    # A root file system may have files of these names.
    mkdir -p "$scratch/rootfs/bin" "$scratch/rootfs/static"
    cp "$(command -v busybox)" "$scratch/rootfs/bin/sh"
    echo '{"name": "a web application"}' >"$scratch/rootfs/manifest.json"
    echo '[]' >"$scratch/rootfs/index.json"
    kind 'root file system' -t eight "$scratch/rootfs"
}

case_pipes_of_any_name() {
    local first
    skopeo copy --quiet "oci:$images/busybox:latest" "docker-archive:$scratch/docker.tar:busybox:v1"
    load "$scratch/docker.tar"
    first=$(id busybox:v1)
    kind 'docker archive' -t two <(cat "$scratch/docker.tar")
    mkfifo "$scratch/fifo"
    cat "$scratch/docker.tar" >"$scratch/fifo" &
    kind 'docker archive' -t three "$scratch/fifo"
    cat "$scratch/docker.tar" | kind 'docker archive' -t four /dev/stdin
    kind 'docker archive' -t five /proc/self/fd/3 3<"$scratch/docker.tar"
    for name in two three four five; do
        expect_equal "$(id "$name")" "$first" "ID of $name"
    done
    # Without its own name or a given one, the pipe's name does not become the image's.
    mkdir -p "$scratch/rootfs/bin"
    cp "$(command -v busybox)" "$scratch/rootfs/bin/sh"
    try microvm image load <(tar -C "$scratch/rootfs" -cf - .)
    expect_status 0
    expect_match '^Loaded image ID: sha256:.* \(root file system\)$'
}

# put LAYOUT: standard input as a blob; prints its digest and size as fields of a descriptor.
put() {
    local digest
    cat >"$scratch/blob"
    digest=$(sha256sum <"$scratch/blob" | cut -c 1-64)
    cp "$scratch/blob" "$1/blobs/sha256/$digest"
    jq -nc --arg d "sha256:$digest" --argjson s "$(stat -c %s "$scratch/blob")" '{digest: $d, size: $s}'
}

# variant LAYOUT NAME FILTER: a manifest of the same layers whose config has MADE_FOR=NAME; prints its descriptor, after FILTER.
variant() {
    local layout=$1 name=$2 filter=$3 manifest config
    manifest=$(jq -r '.manifests[0].digest' "$images/busybox/index.json" | cut -c 8-)
    config=$(jq -r '.config.digest' "$images/busybox/blobs/sha256/$manifest" | cut -c 8-)
    config=$(jq -c --arg n "$name" '.config.Env = ["MADE_FOR=" + $n]' "$images/busybox/blobs/sha256/$config" | put "$layout")
    jq -c --argjson c "$config" '.config += $c' "$images/busybox/blobs/sha256/$manifest" | put "$layout" |
        jq -c "{mediaType: \"application/vnd.oci.image.manifest.v1+json\"} + . + $filter"
}

made_for() {
    microvm image inspect "$1" | grep -o 'MADE_FOR=[a-z0-9-]*'
}

case_the_one_of_many_that_fits() {
    local layout=$scratch/many empty artifact entries=()
    mkdir -p "$layout/blobs"
    cp -r "$images/busybox/blobs/sha256" "$layout/blobs/sha256"
    empty=$(echo '{}' | put "$layout")
    artifact=$(jq -nc --argjson c "$empty" '{schemaVersion: 2, artifactType: "application/spdx+json",
        config: ({mediaType: "application/vnd.oci.empty.v1+json"} + $c),
        layers: [{mediaType: "application/spdx+json"} + $c]}' | put "$layout")
    entries=(
        "$(variant "$layout" windows '{platform: {os: "windows", architecture: "amd64"}}')"
        "$(variant "$layout" arm64 '{platform: {os: "linux", architecture: "arm64", variant: "v8"}}')"
        "$(variant "$layout" arm '{platform: {os: "linux", architecture: "arm", variant: "v7"}}')"
        "$(variant "$layout" host '{platform: {os: "linux", architecture: "amd64"}}')"
        "$(variant "$layout" again '{platform: {os: "linux", architecture: "amd64"}}')"
        "$(variant "$layout" future '{platform: {os: "linux", architecture: "amd64", variant: "v9"}}')"
        "$(variant "$layout" attestation '{platform: {os: "unknown", architecture: "unknown"},
            annotations: {"vnd.docker.reference.type": "attestation-manifest"}}')"
        "$(jq -nc --argjson a "$artifact" '{mediaType: "application/vnd.oci.image.manifest.v1+json"} + $a')"
        "$(jq -nc --argjson a "$empty" '{mediaType: "application/vnd.example.unknown.v1+json"} + $a')"
        '{"mediaType": "application/vnd.example.other+json", "digest": "blake9:none"}'
    )
    # All of it in the layout's own index, as kaniko, ko and cosign put it...
    printf '%s\n' "${entries[@]}" | jq -sc '{schemaVersion: 2, manifests: .}' >"$layout/index.json"
    kind 'OCI layout' -t flat "$layout"
    expect_equal "$(made_for flat)" MADE_FOR=host
    load "$layout"
    expect_equal "$(made_for many)" MADE_FOR=host
    # ... and in an index of its own, as docker buildx does, beside a signature.
    printf '%s\n' "${entries[@]}" | jq -sc '{schemaVersion: 2, manifests: .}' | put "$layout" |
        jq -c --argjson a "$artifact" '{schemaVersion: 2, manifests: [
            {mediaType: "application/vnd.oci.image.manifest.v1+json"} + $a,
            {mediaType: "application/vnd.oci.image.index.v1+json", annotations: {"org.opencontainers.image.ref.name": "v1"}} + .]}' >"$scratch/index"
    mv "$scratch/index" "$layout/index.json"
    kind 'OCI layout' -t nested "$layout"
    expect_equal "$(made_for nested)" MADE_FOR=host
    load "$layout"
    expect_equal "$(made_for many:v1)" MADE_FOR=host
    # No platform matches: the message lists those of the index.
    printf '%s\n' "${entries[@]:0:3}" | jq -sc '{schemaVersion: 2, manifests: .}' >"$layout/index.json"
    try microvm image load -t none "$layout"
    expect_failure 125 'holds no image for this host .*windows/amd64, linux/arm64/v8, linux/arm/v7'
    printf '%s\n' "${entries[@]:7}" | jq -sc '{schemaVersion: 2, manifests: .}' >"$layout/index.json"
    try microvm image load -t none "$layout"
    expect_failure 125 'not an image but an artifact of type .application/spdx'
}

case_the_best_variant_of_this_processor() {
    local layout=$scratch/levels best=1
    mkdir -p "$layout/blobs"
    cp -r "$images/busybox/blobs/sha256" "$layout/blobs/sha256"
    if grep -qw sse4_2 /proc/cpuinfo && grep -qw popcnt /proc/cpuinfo; then best=2; fi
    if [[ $best == 2 ]] && grep -qw avx2 /proc/cpuinfo && grep -qw bmi2 /proc/cpuinfo && grep -qw fma /proc/cpuinfo; then best=3; fi
    if [[ $best == 3 ]] && grep -qw avx512vl /proc/cpuinfo && grep -qw avx512bw /proc/cpuinfo; then best=4; fi
    for level in 1 3 4 2; do
        variant "$layout" "v$level" "{platform: {os: \"linux\", architecture: \"amd64\", variant: \"v$level\"}}"
    done | jq -sc '{schemaVersion: 2, manifests: .}' >"$layout/index.json"
    load -t levels "$layout"
    expect_equal "$(made_for levels)" "MADE_FOR=v$best"
}

case_a_config_that_does_not_say_its_platform() {
    local layout=$scratch/silent
    mkdir -p "$layout/blobs"
    cp -r "$images/busybox/blobs/sha256" "$layout/blobs/sha256"
    manifest=$(jq -r '.manifests[0].digest' "$images/busybox/index.json" | cut -c 8-)
    config=$(jq -r '.config.digest' "$images/busybox/blobs/sha256/$manifest" | cut -c 8-)
    config=$(jq -c 'del(.architecture, .os)' "$images/busybox/blobs/sha256/$config" | put "$layout")
    jq -c --argjson c "$config" '.config += $c' "$images/busybox/blobs/sha256/$manifest" | put "$layout" |
        jq -c '{schemaVersion: 2, manifests: [{mediaType: "application/vnd.oci.image.manifest.v1+json"} + .]}' >"$layout/index.json"
    load -t silent "$layout"
    microvm image inspect silent
}
