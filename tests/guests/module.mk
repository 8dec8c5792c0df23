# SPDX-License-Identifier: Apache-2.0
# `make guests`: bare-metal guests on the host's KVM, or in the development host if the host has none.

GUEST_FLAGS = -std=gnu17 -O1 -I. -Wall -Wextra -Werror -ffreestanding -fno-pie -fno-pic -mno-red-zone \
    -mgeneral-regs-only -fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables -mcmodel=small
GUEST_PARTS = $(wildcard tests/guests/guest/*.S tests/guests/guest/*.c)
GUEST_TEST  = $(BUILD)/guests/test_guests

.PHONY: guests
guests: $(GUEST_TEST)
	@if [ -w /dev/kvm ]; then $(GUEST_TEST); else tests/devhost/devhost run -T -- $(abspath $(GUEST_TEST)); fi

$(BUILD)/guests/guest.bin: $(GUEST_PARTS) $(wildcard tests/guests/guest/*.h tests/guests/guest/*.ld) tests/guests/cases.h \
    guest/doorbell_abi.h
	@mkdir -p $(@D)
	$(call brief,CC)$(CC) $(GUEST_FLAGS) -nostdlib -static -no-pie -Wl,--build-id=none,--no-warn-rwx-segments,-z,noexecstack -Wl,-T,tests/guests/guest/guest.ld \
	    -o $(@:.bin=.elf) $(GUEST_PARTS)
	@objcopy -O binary $(@:.bin=.elf) $@

$(BUILD)/guests/image.o: tests/guests/image.S $(BUILD)/guests/guest.bin
	$(call brief,AS)$(CC) -DGUEST_IMAGE='"$(BUILD)/guests/guest.bin"' -c -o $@ $<

$(GUEST_TEST): $(BUILD)/obj/tests/guests/test_guests.o $(BUILD)/obj/tests/guests/files.o $(BUILD)/guests/image.o $(BUILD)/tests/code.a
	$(call brief,LINK)$(CC) $(LDFLAGS_COMMON) $(LDFLAGS) -o $@ $^ $(UNIT_LIBS)
