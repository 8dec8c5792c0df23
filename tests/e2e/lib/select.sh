# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Which themes and cases there are, and which of them a command line means.

# select_themes KIND [SELECTION]...: the files of tests/e2e/KIND that a selection names; all of them without one.
select_themes() {
    local kind=$1 file selection
    shift
    for file in "tests/e2e/$kind"/*.sh; do
        (($# > 0)) || echo "$file"
        for selection; do
            if [[ ${selection%%/*} == "$(theme_name "$file")" ]]; then
                echo "$file"
                break
            fi
        done
    done
}

theme_name() {
    basename "$1" .sh
}

# cases_of FILE [SELECTION]...: the cases of a theme in the order of the file; those selected, if any selection is given.
cases_of() {
    local file=$1 name names selection
    shift
    names=$(sed -n 's/^case_\([a-z0-9_]*\)() {.*/\1/p' "$file")
    for name in $names; do
        (($# > 0)) || echo "$name"
        for selection; do
            if [[ $selection == "$(theme_name "$file")" || $selection == "$(theme_name "$file")/$name" ]]; then
                echo "$name"
                break
            fi
        done
    done
}
