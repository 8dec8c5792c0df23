/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: guest memory stays out of core dumps. */
#include <stdio.h>

#include "tests/unit/unit.h"
#include "vmm/machine/memory.h"

/* Whether the mapping that holds `address` has a flag of proc(5), smaps: "dd", do not dump. */
static bool has_flag(const void *address, const char *flag)
{
    FILE *file = fopen("/proc/self/smaps", "re");
    char line[512];
    bool here = false;
    bool found = false;

    assert_non_null(file);
    while (fgets(line, sizeof(line), file)) {
        uintptr_t begin;
        uintptr_t end;

        if (sscanf(line, "%lx-%lx ", &begin, &end) == 2)
            here = (uintptr_t)address >= begin && (uintptr_t)address < end;
        else if (here && strncmp(line, "VmFlags:", 8) == 0)
            found = strstr(line + 8, flag) != NULL;
    }
    fclose(file);
    return found;
}

static void guest_memory_is_not_dumped(void **state)
{
    struct machine_memory memory = {0};
    const struct guest_memory *guest = &memory.guest;

    (void)state;
    assert_int_equal(memory_create(UINT64_C(64) << 20, &memory, NULL), 0);
    assert_true(guest->count > 0);
    for (unsigned i = 0; i < guest->count; i++) {
        assert_true(has_flag(guest->regions[i].host, " dd"));
        assert_true(has_flag(guest->regions[i].host + guest->regions[i].size - 1, " dd"));
    }
    memory_destroy(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(guest_memory_is_not_dumped)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
