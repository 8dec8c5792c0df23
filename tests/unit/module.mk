# SPDX-License-Identifier: Apache-2.0
# Each tests/unit/test_NAME.c becomes two programs: $(BUILD)/tests/test_NAME, and, with AddressSanitizer and
# UndefinedBehaviorSanitizer, $(BUILD)/tests-san/test_NAME. Both link what they use out of one archive of all our code.
# `make unit UNIT="queue mmio"` runs some of them.

UNIT_TESTS   = $(basename $(notdir $(wildcard tests/unit/test_*.c)))
UNIT_HELPERS = $(filter-out tests/unit/test_%,$(wildcard tests/unit/*.c))
UNIT_SOURCES = $(sort $(filter-out %/main.c,$(MICROVM_SOURCES) $(IMPORT_SOURCES))) $(UNIT_HELPERS)
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

$(UNIT_TESTS:%=$(BUILD)/tests/%): $(BUILD)/tests/%: $(BUILD)/obj/tests/unit/%.o $(BUILD)/tests/code.a
	$(call brief,LINK)$(CC) $(LDFLAGS_COMMON) $(LDFLAGS) -o $@ $^ $(UNIT_LIBS)

$(UNIT_TESTS:%=$(BUILD)/tests-san/%): $(BUILD)/tests-san/%: $(BUILD)/san/tests/unit/%.o $(BUILD)/tests-san/code.a
	$(call brief,LINK)$(CC) $(LDFLAGS_COMMON) -fsanitize=address,undefined $(LDFLAGS) -o $@ $^ $(UNIT_LIBS)

# They are made by chains of patterns, and still wanted the next time.
.SECONDARY: $(UNIT_TESTS:%=$(BUILD)/obj/tests/unit/%.o) $(UNIT_TESTS:%=$(BUILD)/san/tests/unit/%.o)
