# SPDX-License-Identifier: Apache-2.0
# $(BUILD)/escape/microvm: a monitor that tries to escape from its jail as soon as it is in it (tests/e2e/vm/escape.sh).

$(BUILD)/escape/microvm: $(call objects,$(MICROVM_SOURCES) tests/escape/attempts.c)
	@mkdir -p $(@D)
	$(call brief,LINK)$(CC) $(LDFLAGS_COMMON) $(LDFLAGS) -Wl,--wrap=jail_close -o $@ $^ $(MICROVM_LIBS)
