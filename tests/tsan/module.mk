# SPDX-License-Identifier: Apache-2.0
# `make tsan`: the VM's threads under ThreadSanitizer, on a fake KVM (tests/faults/fake_kvm.h).

TSAN_SOURCES = $(filter-out vmm/cli/microvm.c,$(filter vmm/base/% vmm/arch/% vmm/machine/% devices/%,$(MICROVM_SOURCES))) \
    tests/faults/fake_kvm.c tests/tsan/vcpus.c
TSAN_CFLAGS  = -fsanitize=thread -O1

.PHONY: tsan
check: tsan
tsan: $(BUILD)/tsan/vcpus
	tests/tsan/run $<

$(BUILD)/tsan/obj/%.o: %.c | $(GENERATED)
	@mkdir -p $(@D)
	$(call brief,CC tsan)$(CC) $(CPPFLAGS_COMMON) $(CPPFLAGS) $(filter-out -D_FORTIFY_SOURCE=2 -O2,$(CFLAGS_COMMON)) $(TSAN_CFLAGS) -Wno-tsan $(CFLAGS) \
	    -c -o $@ $<

$(BUILD)/tsan/vcpus: $(patsubst %.c,$(BUILD)/tsan/obj/%.o,$(TSAN_SOURCES))
	$(call brief,LINK)$(CC) $(LDFLAGS_COMMON) -fsanitize=thread -Wl,--wrap=arch_kvm_class $(LDFLAGS) -o $@ $^ -lfdt -ljansson -lnettle -lpthread
