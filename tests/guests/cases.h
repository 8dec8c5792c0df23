/* SPDX-License-Identifier: Apache-2.0 */
/* What the bare-metal guest can be told to do, by host and guest. */
#ifndef TESTS_GUESTS_CASES_H
#define TESTS_GUESTS_CASES_H

/* A case ends by the doorbell: status 0 when all was as expected. Else it rings MARK with the line
 * of guest/cases.c that was not content, and exits with GUEST_FAILED. */
#define GUEST_FAILED 99

enum guest_case {
    CASE_EXIT_42,
    CASE_DOORBELL,
    CASE_PANIC,
    CASE_PORTS,
    CASE_REGISTERS,
    CASE_NOTIFY_WITHOUT_EXIT,
    CASE_ENTROPY_POLLED,
    CASE_ENTROPY_INTERRUPT,
    CASE_BLOCK,
    CASE_CONSOLE_THEN_EXIT,
    CASE_HOSTILE_CHAINS,
    CASE_HOSTILE_QUEUES,
    CASE_NOTIFY_STORM,
    CASE_RESET_DURING_USE,
    CASE_RANDOM_REGISTERS,
    CASE_TRIPLE_FAULT,
    CASE_HALT,
    CASE_SPIN,
    CASE_RUN_OUTSIDE_OF_MEMORY,
    CASE_TWO_PROCESSORS,
    /* Of those that try to hold the monitor: they ring MARK when it has been given the work. */
    CASE_HOLD_BY_READING,
    CASE_HOLD_BY_DISCARDING,
    CASE_HOLD_BY_ZEROING,
    CASE_HOLD_BY_CONSOLE,
    CASE_HOLD_BY_EXITS,
    CASE_IDENTITY,
};

#define GUEST_NOTIFICATIONS 1000 /* of CASE_NOTIFY_WITHOUT_EXIT */
#define GUEST_GREETING      "hello from bare metal\n"

#endif
