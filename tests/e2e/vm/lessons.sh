# shellcheck shell=bash disable=SC2016,SC2154 # inner shells' variables; what lib/case.sh sets
# SPDX-License-Identifier: Apache-2.0
# Run every command of README.md and of the lessons: it prints what the page says.
# limit: 600 s a case: a lesson starts many VMs

page() {
    PATH=$(dirname "$MICROVM"):$PATH try tests/e2e/programs/lesson "$1"
    expect_status 0
}

lesson() {
    page docs/lessons/"$1"-*.md
}

case_readme() {
    page README.md
}

case_what_a_container_is() {
    lesson 1
}

case_what_a_virtual_machine_adds() {
    lesson 2
}

case_the_life_of_a_packet() {
    lesson 3
}

case_the_price_of_an_exit() {
    lesson 4
}

case_images_and_layers() {
    lesson 5
}

case_where_start_up_time_goes() {
    lesson 6
}
