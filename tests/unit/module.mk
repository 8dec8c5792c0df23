# SPDX-License-Identifier: Apache-2.0
# Each tests/unit/ROOM/test_NAME.c becomes two programs: $(BUILD)/tests/test_NAME, and, with AddressSanitizer and
# UndefinedBehaviorSanitizer, $(BUILD)/tests-san/test_NAME. Both link what they use from one archive of all our code.
# `make unit UNIT="queue mmio"` runs some of them.

UNIT_FILES   = $(wildcard tests/unit/*/test_*.c)
UNIT_TESTS   = $(basename $(notdir $(UNIT_FILES)))
UNIT_HELPERS = $(filter-out $(UNIT_FILES),$(wildcard tests/unit/*/*.c))
# Everything except the main() of each program.
UNIT_SOURCES = $(sort $(filter-out %/microvm.c %/microvm_import.c,$(MICROVM_SOURCES) $(IMPORT_SOURCES))) $(UNIT_HELPERS)
UNIT_LIBS    = -lcmocka -larchive -lsquashfs -lz -lfdt -ljansson -lnettle -lpthread
UNIT        ?= $(UNIT_TESTS:test_%=%)

.PHONY: unit
unit: $(foreach name,$(UNIT),$(BUILD)/tests/test_$(name) $(BUILD)/tests-san/test_$(name)) | $(BUILD)/microvm-import
	tests/unit/run $^

$(BUILD)/tests/code.a: $(call objects,$(UNIT_SOURCES))
$(BUILD)/tests-san/code.a: $(patsubst %.c,$(BUILD)/san/%.o,$(UNIT_SOURCES))
$(BUILD)/tests/code.a $(BUILD)/tests-san/code.a:
	@mkdir -p $(@D)
	@rm -f $@
	$(call brief,AR)$(AR) rcsD $@ $^

# unit_programs(source): both of one test.
define unit_programs
$(BUILD)/tests/$(basename $(notdir $(1))): $(1:%.c=$(BUILD)/obj/%.o) $(BUILD)/tests/code.a
	$$(call brief,LINK)$$(CC) $$(LDFLAGS_COMMON) $$(LDFLAGS) -o $$@ $$^ $$(UNIT_LIBS)
$(BUILD)/tests-san/$(basename $(notdir $(1))): $(1:%.c=$(BUILD)/san/%.o) $(BUILD)/tests-san/code.a
	$$(call brief,LINK)$$(CC) $$(LDFLAGS_COMMON) -fsanitize=address,undefined $$(LDFLAGS) -o $$@ $$^ $$(UNIT_LIBS)
endef
$(foreach file,$(UNIT_FILES),$(eval $(call unit_programs,$(file))))

# It counts how often guest addresses are translated.
$(BUILD)/tests/test_queue_areas $(BUILD)/tests-san/test_queue_areas: LDFLAGS_COMMON += -Wl,--wrap=guest_memory_at

# Chains of pattern rules make them; keep them for the next time.
.SECONDARY: $(UNIT_FILES:%.c=$(BUILD)/obj/%.o) $(UNIT_FILES:%.c=$(BUILD)/san/%.o)
