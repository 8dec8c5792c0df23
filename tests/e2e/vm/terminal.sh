# shellcheck shell=bash disable=SC2016,SC2154 # inner shells' variables; what lib/case.sh sets
# SPDX-License-Identifier: Apache-2.0
# `-t` gives a real terminal. A terminal emulator (tmux) sits in front of it and types.

export TERM=xterm

# terminal COMMAND: a shell command line in a terminal of 90 columns and 30 rows, $out its whole transcript.
terminal() {
    cd "$scratch" || return
    tmux -S "$scratch/tmux" -f /dev/null new-session -d -x 90 -y 30 "bash --norc --noprofile -c '$1'"
    tmux -S "$scratch/tmux" set-option -g status off
    tmux -S "$scratch/tmux" set-option -g remain-on-exit on
    tmux -S "$scratch/tmux" resize-window -x 90 -y 30
}

type_line() {
    tmux -S "$scratch/tmux" send-keys -l "$1"
    tmux -S "$scratch/tmux" send-keys Enter
}

press() {
    tmux -S "$scratch/tmux" send-keys "$1"
}

screen() {
    tmux -S "$scratch/tmux" capture-pane -p -J -S - >"$out"
}

# wait_for_screen REGEX: until a line on the screen matches.
wait_for_screen() {
    wait_for screen_matches "$1"
}

screen_matches() {
    screen && grep -qE -- "$1" "$out"
}

close_terminal() {
    tmux -S "$scratch/tmux" kill-server
    wait_for sessions_gone
}

sessions_gone() {
    ! pgrep -f -- "tmux -S $scratch/tmux"
}

case_a_shell_with_size_colours_and_job_control() {
    # shellcheck disable=SC2016 # the inner shell's
    terminal 'stty -g >before; "$MICROVM" run -it -e PS1="guest> " busybox sh; echo "left with $?"; stty -g >after; sleep 1000'
    wait_for_screen '^guest> $'
    type_line 'stty size; tty; echo TERM=$TERM'
    wait_for_screen '^30 90$'
    wait_for_screen '^/dev/(pts/0|console)$'
    wait_for_screen '^TERM=xterm$'

    # A new size of the outer terminal arrives.
    type_line 'trap "stty size" WINCH'
    tmux -S "$scratch/tmux" resize-window -x 100 -y 40
    type_line 'while [ "$(stty size)" != "40 100" ]; do sleep 0.1; done; echo "resized"'
    wait_for_screen '^resized$'

    # Ctrl-C kills the command, not the shell. (Each says that it has the terminal before a key is pressed.)
    type_line 'sh -c "echo first \$((1 + 1)); exec sleep 1000"'
    wait_for_screen '^first 2$'
    press C-c
    type_line 'echo "still $((40 + 2))"'
    wait_for_screen '^still 42$'

    # Ctrl-Z stops it; it continues in the background.
    type_line 'sh -c "echo second \$((1 + 1)); exec sleep 2000"'
    wait_for_screen '^second 2$'
    press C-z
    wait_for_screen 'Stopped'
    type_line 'jobs'
    type_line 'bg; kill %1; wait; echo "jobs $((1 + 1))"'
    wait_for_screen '^jobs 2$'

    # Both outputs are the terminal; lines end with CR LF.
    type_line 'echo one; echo two >&2; exit 5'
    wait_for_screen '^left with 5$'
    grep -qx one "$out"
    grep -qx two "$out"
    wait_for test -s after
    cmp before after
    close_terminal
}

case_keys_are_not_echoed_twice_nor_translated() {
    # shellcheck disable=SC2016
    terminal '"$MICROVM" run -it busybox sh -c "stty raw -echo; echo ready; head -c 6 | od -An -tx1; stty sane"; sleep 1000'
    wait_for_screen 'ready'
    tmux -S "$scratch/tmux" send-keys -H 03 1a 0d 0a 7f 04
    wait_for_screen '03 1a 0d 0a 7f 04'
    close_terminal
}

case_end_of_input_ends_the_shell() {
    # shellcheck disable=SC2016
    terminal '"$MICROVM" run -it -e PS1="guest> " busybox sh; echo "left with $?"; sleep 1000'
    wait_for_screen '^guest> $'
    press C-d
    wait_for_screen '^left with 0$'
    close_terminal
}

case_a_hang_up_ends_the_machine() {
    local client monitor
    # shellcheck disable=SC2016
    terminal 'exec "$MICROVM" run -it -e PS1="guest> " busybox sh'
    wait_for_screen '^guest> $'
    client=$(tmux -S "$scratch/tmux" display-message -p '#{pane_pid}')
    monitor=$(supervisor_of "$client")
    close_terminal
    wait_for is_gone "$client"
    wait_for is_gone "$monitor"
    microvm run busybox true
}

case_t_without_a_terminal_is_refused() {
    try microvm run -it busybox sh
    expect_failure 125 'terminal|TTY|tty'
}

case_t_alone_gives_a_terminal_to_the_output() {
    # Without -i and with its output in a file: the container still sees a terminal, as under docker.
    try microvm run -t busybox sh -c 'test -t 1 && echo yes'
    expect_status 0
    expect_equal "$(tr -d '\r' <"$out")" yes
}
