# SPDX-License-Identifier: Apache-2.0
# Targets for people: all (default), demo, check, bench, fuzz, lint, kernel, install, clean. See docs/internals/contributing.md.
# Each folder has its own rules in module.mk; this file has what they share.

ARCH  ?= $(shell uname -m)
BUILD ?= build
CC    ?= gcc

# The variables that an installation or a packager sets.
PREFIX     ?= /usr/local
DESTDIR    ?=
LIBEXECDIR ?= $(PREFIX)/libexec/microvm
MANDIR     ?= $(PREFIX)/share/man

CFLAGS_COMMON = -std=gnu17 -O2 -g -fno-common -fstack-protector-strong -D_GNU_SOURCE -D_FORTIFY_SOURCE=2 \
    -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
    -Wcast-qual -Wconversion -Wno-sign-conversion -Wformat=2 -Wvla -Wundef \
    -ffunction-sections -fdata-sections
CPPFLAGS_COMMON = -I. -I$(BUILD) -MMD -MP
LDFLAGS_COMMON  = -Wl,--gc-sections -Wl,-z,relro -Wl,-z,now -Wl,-z,pack-relative-relocs -pie
CFLAGS_COMMON  += -fPIE
# Our own code is never unwound at run time; a debugger has its own tables.
CFLAGS_COMMON  += -fno-asynchronous-unwind-tables

# One short line per product; `make V=1` shows the whole commands.
ifeq ($(V),1)
brief =
else
brief = @printf '  %-8s %s\n' '$(1)' '$@';
endif

all:
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDEXPANSION:
.PHONY: all demo check bench fuzz lint kernel docs install clean

# objects(sources): the object file of each source, below $(BUILD)/obj.
objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))

# Generated tables; `#include <gen/NAME>` finds them.
GENERATED = $(BUILD)/gen/architecture.h $(BUILD)/gen/syscall_names.inc $(BUILD)/gen/syscall_names_32.inc

$(BUILD)/gen/architecture.h: vmm/arch/$(ARCH)/names.h
	@mkdir -p $(@D)
	$(call brief,GEN)cp $< $@

# The kernel's names of its system calls on this architecture, and on its 32-bit variant (none on some): lines of
# `[number] = "name",`. Another macro may define a number, so the preprocessor evaluates it. Two of the macros are not system calls.
$(BUILD)/gen/syscall_names.inc: header = <asm/unistd.h>
$(BUILD)/gen/syscall_names_32.inc: header = <asm/unistd_32.h>
$(BUILD)/gen/syscall_names.inc $(BUILD)/gen/syscall_names_32.inc: Makefile
	@mkdir -p $(@D)
	$(call brief,GEN)printf '#if __has_include($(header))\n#include $(header)\n#endif\n' >$@.h; \
	    $(CC) -dM -E -x c $@.h | sed -nE 's/^#define __NR_([a-z0-9_]+) .*/call \1 __NR_\1/p' | cat $@.h - | $(CC) -E -P -x c - | \
	    sed -nE '/^call (syscalls|arch_specific_syscall) /d; s/^call ([a-z0-9_]+) ([0-9]+)$$/[\2] = "\1",/p' | sort >$@; rm $@.h

$(BUILD)/obj/%.o: %.c | $(GENERATED)
	@mkdir -p $(@D)
	$(call brief,CC)$(CC) $(CPPFLAGS_COMMON) $(CPPFLAGS) $(CFLAGS_COMMON) $(CFLAGS) -c -o $@ $<

# The same source with sanitizers, for tests.
$(BUILD)/san/%.o: %.c | $(GENERATED)
	@mkdir -p $(@D)
	$(call brief,CC san)$(CC) $(CPPFLAGS_COMMON) $(CPPFLAGS) $(filter-out -D_FORTIFY_SOURCE=2,$(CFLAGS_COMMON)) -fsanitize=address,undefined \
	    -fno-sanitize-recover=all $(CFLAGS) -c -o $@ $<

include vmm/module.mk
include guest/module.mk
include kernels/module.mk
include tests/module.mk
include docs/module.mk

clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
