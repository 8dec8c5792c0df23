/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Init of the benchmark's guest. Its first act says "user space begins" in two ways: a
 * byte for the serial port that QEMU and kvmtool show at once, and the mark of microvm's doorbell.
 * A port that a monitor does not have is an exit that it ignores, so all of them pay for both; the
 * doorbell comes second, so that microvm gains nothing by it.
 *
 * With the word "hold" on the kernel command line it then says so on the console and waits to be
 * killed, so that the monitor can be looked at. Else it ends the machine: by the doorbell, or,
 * where there is none, by a reset. Freestanding: no C library and no start-up code to be measured
 * with it.
 */
#include "guest/doorbell_abi.h"

#include <asm/unistd.h>

enum {
    SERIAL_PORT = 0x3f8,
    FIRST_BYTE = 1, /* which no monitor prints of its own accord */
    IOPL_ALL_PORTS = 3,
    REBOOT_MAGIC1 = 0xfee1dead,
    REBOOT_MAGIC2 = 672274793,
    REBOOT_RESTART = 0x01234567,
};

static long call(long number, long a, long b, long c)
{
    long result;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c)
                     : "rcx", "r11", "memory");
    return result;
}

static void out8(unsigned short port, unsigned char value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static void out32(unsigned short port, unsigned value)
{
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

static int is_hold(const char *word)
{
    return word[0] == 'h' && word[1] == 'o' && word[2] == 'l' && word[3] == 'd' && word[4] == 0;
}

/* `stack` is what the kernel left at the stack pointer: argc, then argv. */
__attribute__((noreturn, used)) void bench_init(const long *stack)
{
    static const char holding[] = "bench: holding\n";
    const char *const *argv = (const char *const *)(stack + 1);

    call(__NR_iopl, IOPL_ALL_PORTS, 0, 0);
    out8(SERIAL_PORT, FIRST_BYTE);
    out32(DOORBELL_PORT, DOORBELL_VALUE(DOORBELL_MARK, DOORBELL_MARK_INIT));

    for (long i = 1; i < stack[0]; i++) {
        if (is_hold(argv[i])) {
            call(__NR_write, 1, (long)holding, sizeof(holding) - 1);
            for (;;)
                call(__NR_pause, 0, 0, 0);
        }
    }

    out32(DOORBELL_PORT, DOORBELL_VALUE(DOORBELL_EXIT, 0));
    call(__NR_reboot, REBOOT_MAGIC1, REBOOT_MAGIC2, REBOOT_RESTART);
    for (;;)
        call(__NR_pause, 0, 0, 0);
}

__attribute__((naked, noreturn)) void _start(void);
__attribute__((naked, noreturn)) void _start(void)
{
    __asm__("mov %rsp, %rdi\n\t"
            "and $-16, %rsp\n\t"
            "call bench_init");
}
