/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: what client and monitor say to each other over control.sock: one JSON object a message,
 * on a UNIX SOCK_SEQPACKET socket, at most CONTROL_MESSAGE_MAX bytes each.
 *
 * monitor -> client
 *   {"event":"running"}                               first KVM_RUN is next
 *   {"event":"mark","mark":N,"time_ns":T}              doorbell mark; CLOCK_MONOTONIC of the host
 *   {"event":"stage","stage":"kvm|memory|kernel|tree|devices","time_ns":T}  end of a step of the
 * build
 *   {"event":"end","reason":R,"status":N,"text":S,"console":S,"time_ns":T}  the last message
 *     R: "exit" (doorbell, status), "power-off", "reset", "panic", "error" (monitor failed: text),
 * "stopped" console: the last lines of the guest's console (only with panic, reset, error)
 *   {"event":"counts", ...}                            exits by kind and device, before "end"
 * client -> monitor
 *   {"command":"stop"}                                 end the machine at once
 *   {"command":"window","rows":N,"columns":N}          size of the attached console
 *
 * The monitor ends its machine when the last client has disconnected.
 */
#ifndef MICROVM_INSTANCE_CONTROL_H
#define MICROVM_INSTANCE_CONTROL_H

#define CONTROL_MESSAGE_MAX 32768

#endif
