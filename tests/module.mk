# SPDX-License-Identifier: Apache-2.0
# Tests and linters. Each folder below tests/ has its own rules in module.mk.

include $(wildcard tests/*/module.mk)

.PHONY: prerequisites format lint-tidy

# Every test: the other architecture's compiler, units (plain and sanitized), imports of images, bare-metal guests, a short
# run of the fuzz targets, real boots.
CHECKS = cross unit images guests fuzz e2e
check: $(CHECKS)

prerequisites:
	tests/install-prerequisites

# A user's first command: installs what is needed, builds, runs a real image in a micro-VM.
demo:
	@BUILD=$(BUILD) tests/demo

# The same on an empty system.
.PHONY: check-long demo-bare
check-long: demo-bare
demo-bare:
	tests/demo-bare

C_FILES       = $(shell git ls-files '*.c' '*.h')
TIDY_FILES    = $(shell git ls-files 'vmm/*.c' 'devices/*.c' 'guest/*.c')
SHELL_SCRIPTS = $(shell git ls-files | xargs grep -lIE '^\#!/bin/(ba)?sh' 2>/dev/null)

lint:
	@clang-format --dry-run --Werror $(C_FILES)
	tests/lint/include-directions
	tests/lint/texts
	tests/lint/architecture
	tests/lint/early-returns --self-test
	tests/lint/early-returns
	tests/lint/words --self-test
	tests/lint/words
	docs/guide/make-tables --check
	shellcheck -x $(SHELL_SCRIPTS)
	mandoc -T lint -W warning docs/reference/*.1
	$(MAKE) --no-print-directory lint-tidy
	@echo "lint: all fine"

lint-tidy: $(GENERATED)
	@echo $(TIDY_FILES) | xargs -n 4 -P 2 sh -c 'clang-tidy --quiet "$$@" -- -std=gnu17 -D_GNU_SOURCE -I. -I$(BUILD)' clang-tidy

format:
	@clang-format -i $(C_FILES)
