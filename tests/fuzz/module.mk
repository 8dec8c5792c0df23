# SPDX-License-Identifier: Apache-2.0
# Each tests/fuzz/fuzz_NAME.c becomes a libFuzzer program, with sanitizers, linked with one archive of all our code.
# `make fuzz FUZZ_SECONDS=600 FUZZ="vsock"` runs some of them, longer. Their corpora stay in
# $(BUILD)/fuzz/corpus/NAME; an input that makes one fail is in $(BUILD)/fuzz/broken/.

FUZZ_SECONDS ?= 10
FUZZ_TARGETS  = $(basename $(notdir $(wildcard tests/fuzz/fuzz_*.c)))
FUZZ         ?= $(FUZZ_TARGETS:fuzz_%=%)
FUZZ_HELPERS  = $(filter-out tests/fuzz/fuzz_%,$(wildcard tests/fuzz/*.c))
# The normal build reports warnings.
FUZZ_CFLAGS   = -std=gnu17 -O1 -g -w -D_GNU_SOURCE -I. -I$(BUILD) -MMD -MP -DFAKE_REGION_SIZE=65536U \
    -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all

.PHONY: fuzz
fuzz: $(foreach name,$(FUZZ),$(BUILD)/fuzz/fuzz_$(name))
	tests/fuzz/run $(BUILD)/fuzz $(FUZZ_SECONDS) $^

$(BUILD)/fuzz/obj/%.o: %.c | $(GENERATED)
	@mkdir -p $(@D)
	$(call brief,CC fuzz)clang $(FUZZ_CFLAGS) -c -o $@ $<

# Expanded late, because the list of sources comes from tests/unit/module.mk.
$(BUILD)/fuzz/code.a: $$(patsubst %.c,$(BUILD)/fuzz/obj/%.o,$$(UNIT_SOURCES) $$(FUZZ_HELPERS))
	@rm -f $@
	$(call brief,AR)$(AR) rcsD $@ $^

$(FUZZ_TARGETS:%=$(BUILD)/fuzz/%): $(BUILD)/fuzz/%: $(BUILD)/fuzz/obj/tests/fuzz/%.o $(BUILD)/fuzz/code.a
	$(call brief,LINK)clang -fsanitize=fuzzer,address,undefined -o $@ $^ $(filter-out -lcmocka,$(UNIT_LIBS))

.SECONDARY: $(FUZZ_TARGETS:%=$(BUILD)/fuzz/obj/tests/fuzz/%.o)
