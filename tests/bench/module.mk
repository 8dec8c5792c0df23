# SPDX-License-Identifier: Apache-2.0
# `make bench`: compares microvm with other monitors, as a table and as $(BUILD)/bench/bench.json.

.PHONY: bench
BENCH_PROGRAMS = $(BUILD)/bench/stamp $(BUILD)/bench/init

bench: all kernel $(BENCH_PROGRAMS)
	BUILD=$(BUILD) tests/bench/run

$(BUILD)/bench/stamp: $(BUILD)/obj/tests/bench/stamp.o
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_COMMON) -o $@ $<

# Freestanding: the guest's first user instruction is the first instruction of this file.
$(BUILD)/bench/init: tests/bench/bench_init.c guest/doorbell_abi.h
	@mkdir -p $(@D)
	$(CC) -std=gnu17 -Os -Wall -Wextra -Werror -I. -static -nostdlib -ffreestanding -fno-stack-protector -fno-pie -no-pie \
	    -fcf-protection=none -fno-asynchronous-unwind-tables -Wl,-z,noseparate-code,--build-id=none -s -o $@ $<
