# shellcheck shell=bash disable=SC2016,SC2154 # inner shells' variables; what lib/case.sh sets
# SPDX-License-Identifier: Apache-2.0
# The lesson about containers, on the host.

lesson() {
    PATH=$(dirname "$MICROVM"):$PATH try tests/e2e/programs/lesson docs/lessons/"$1"-*.md
    expect_status 0
}

case_what_a_container_is() {
    lesson 1
}
