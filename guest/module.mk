# SPDX-License-Identifier: Apache-2.0
# build/microvm-init: process 1 of the guest. build/initramfs.cpio: what every guest boots with.
# build/microvm-probes: asks and measures inside a sandbox, for `microvm probe` and `microvm compare`.

# Static with musl: small, and it starts in a few thousand instructions. The kernel's headers come last, behind musl's own.
GUEST_CC     ?= musl-gcc
GUEST_CFLAGS  = $(filter-out -fPIE -fstack-protector-strong -D_FORTIFY_SOURCE=2,$(CFLAGS_COMMON)) -fno-pie \
    -idirafter /usr/include -idirafter /usr/include/$(ARCH)-linux-gnu

INIT_SOURCES = $(wildcard guest/init/*.c)
INIT_OBJECTS = $(patsubst %.c,$(BUILD)/guest/%.o,$(INIT_SOURCES))

PROBES_SOURCES = $(wildcard guest/probes/*.c)
PROBES_OBJECTS = $(patsubst %.c,$(BUILD)/guest/%.o,$(PROBES_SOURCES))

all: $(BUILD)/initramfs.cpio $(BUILD)/microvm-probes

$(BUILD)/guest/%.o: %.c | $(GENERATED)
	@mkdir -p $(@D)
	$(call brief,CC)$(GUEST_CC) $(CPPFLAGS_COMMON) $(GUEST_CFLAGS) -c -o $@ $<

$(BUILD)/microvm-init: $(INIT_OBJECTS)
	$(call brief,LINK)$(GUEST_CC) -static -no-pie -s -Wl,--gc-sections -Wl,--build-id=none -o $@ $^

$(BUILD)/microvm-probes: $(PROBES_OBJECTS)
	$(call brief,LINK)$(GUEST_CC) -static -no-pie -s -Wl,--gc-sections -Wl,--build-id=none -o $@ $^

# Comes from a cache outside of the tree.
$(BUILD)/crun: guest/build-crun
	$(call brief,CRUN)guest/build-crun $@

$(BUILD)/initramfs.cpio: $(BUILD)/microvm-init $(BUILD)/crun guest/make-initramfs
	$(call brief,CPIO)guest/make-initramfs $(BUILD)/microvm-init $(BUILD)/crun $@
