/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System call filters; see syscall_filter.h.
 *
 * The program checks the architecture of the call, then each rule is one comparison, or a few with
 * a condition on arguments. Rules without a condition cost nothing at run time, since the kernel
 * keeps a bitmap of calls that are always allowed; the most frequent calls come first.
 */
#include "vmm/confine/syscall_filter.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <gen/architecture.h>

#define ARGUMENTS   6
#define PROGRAM_MAX 1024
#define RULE_MAX    32 /* instructions of one rule, and the last of all */

struct program {
    struct sock_filter code[PROGRAM_MAX];
    unsigned short size;
};

static void emit(struct program *program, uint16_t code, uint32_t k, uint8_t yes, uint8_t no)
{
    program->code[program->size++] = (struct sock_filter){code, yes, no, k};
}

static void emit_load(struct program *program, size_t offset)
{
    emit(program, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void emit_return(struct program *program, uint32_t action)
{
    emit(program, BPF_RET | BPF_K, action, 0, 0);
}

static size_t argument_offset(uint32_t argument)
{
    return offsetof(struct seccomp_data, args) + argument * sizeof(uint64_t);
}

/* Continues if both halves of each argument of the set are zero, else jumps over what follows. */
static void emit_zero_tests(struct program *program, uint32_t set)
{
    unsigned left = 0; /* words to test */

    for (uint32_t i = 0; i < ARGUMENTS; i++)
        left += set >> i & 1 ? 2U : 0U;
    for (uint32_t i = 0; i < ARGUMENTS; i++) {
        for (uint32_t half = 0; set >> i & 1 && half < 2; half++) {
            left--;
            emit_load(program, argument_offset(i) + half * sizeof(uint32_t));
            emit(program, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, (uint8_t)(2 * left + 1));
        }
    }
}

/* Continues if the condition holds, else jumps over the next instruction. */
static void emit_condition(struct program *program, const struct syscall_rule *rule)
{
    if (rule->condition == SYSCALL_ARGUMENTS_ZERO) {
        emit_zero_tests(program, rule->value);
        return;
    }
    emit_load(program, argument_offset(rule->argument));
    if (rule->condition == SYSCALL_ARGUMENT_LACKS)
        emit(program, BPF_JMP | BPF_JSET | BPF_K, rule->value, 1, 0);
    else if (rule->condition == SYSCALL_ARGUMENT_IS_NOT)
        emit(program, BPF_JMP | BPF_JEQ | BPF_K, rule->value, 1, 0);
    else if (rule->condition == SYSCALL_FIRST_IS_OWN_PROCESS)
        emit(program, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)getpid(), 0, 1);
    else
        emit(program, BPF_JMP | BPF_JEQ | BPF_K, rule->value, 0, 1);
}

/* If the rule does not apply, the accumulator holds the number of the call before and after. */
static void emit_rule(struct program *program, const struct syscall_rule *rule)
{
    unsigned short begin = program->size;

    emit(program, BPF_JMP | BPF_JEQ | BPF_K, rule->call, 0, 0);
    if (rule->condition == SYSCALL_ALWAYS) {
        emit_return(program, SECCOMP_RET_ALLOW);
    } else if (rule->condition == SYSCALL_FAILS) {
        emit_return(program, SECCOMP_RET_ERRNO | rule->value);
    } else {
        emit_condition(program, rule);
        emit_return(program, SECCOMP_RET_ALLOW);
        emit_load(program, offsetof(struct seccomp_data, nr));
    }
    program->code[begin].jf = (uint8_t)(program->size - begin - 1);
}

/* Has an earlier rule of the lists allowed this call without a condition? */
static bool is_allowed_before(const struct syscall_rules *lists, const struct syscall_rule *rule)
{
    for (;; lists++) {
        for (size_t i = 0; i < lists->count; i++) {
            const struct syscall_rule *earlier = &lists->rules[i];

            if (earlier == rule)
                return false;
            if (earlier->call == rule->call && earlier->condition == SYSCALL_ALWAYS)
                return true;
        }
    }
}

static int emit_list(struct program *program, const struct syscall_rules *lists,
                     const struct syscall_rules *list, struct error *err)
{
    for (size_t i = 0; i < list->count; i++) {
        if (program->size > PROGRAM_MAX - 2 * RULE_MAX)
            return error_set_errno(err, E2BIG, "system call filter");
        if (!is_allowed_before(lists, &list->rules[i]))
            emit_rule(program, &list->rules[i]);
    }
    return 0;
}

int syscall_filter_load(const struct syscall_rules *lists, size_t count, uint32_t otherwise,
                        struct error *err)
{
    struct program program = {.size = 0};
    struct sock_fprog filter;

    emit_load(&program, offsetof(struct seccomp_data, arch));
    emit(&program, BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE_AUDIT, 1, 0);
    emit_return(&program, SECCOMP_RET_KILL_PROCESS);
    emit_load(&program, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < count; i++) {
        int rc = emit_list(&program, lists, &lists[i], err);

        if (rc < 0)
            return rc;
    }
    emit_return(&program, otherwise);
    filter = (struct sock_fprog){.len = program.size, .filter = program.code};
    if (syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) != 0)
        return error_set_errno(err, errno, "system call filter");
    return 0;
}

static bool is_listed(const uint32_t *calls, size_t count, uint32_t call)
{
    for (size_t i = 0; i < count; i++)
        if (calls[i] == call)
            return true;
    return false;
}

size_t syscall_filter_calls(const struct syscall_rules *lists, size_t count, uint32_t *calls,
                            size_t max)
{
    size_t found = 0;

    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < lists[i].count && found < max; k++) {
            const struct syscall_rule *rule = &lists[i].rules[k];

            if (rule->condition != SYSCALL_FAILS && !is_listed(calls, found, rule->call))
                calls[found++] = rule->call;
        }
    }
    return found;
}
