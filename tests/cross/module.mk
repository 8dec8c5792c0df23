# SPDX-License-Identifier: Apache-2.0
# `make cross`: compiles everything that is not specific to one architecture for the other one, with the same warnings.
# Objects only: the libraries for it are missing; their headers are the host's, after those of the other C library.

CROSS_ARCH   ?= aarch64
CROSS_CC     ?= $(CROSS_ARCH)-linux-gnu-gcc
CROSS_BUILD   = $(BUILD)/cross/$(CROSS_ARCH)
# The guest's side of the doorbell is an I/O port, which only one architecture has.
CROSS_EXCEPT  = vmm/arch/% guest/init/ring_doorbell.c guest/probes/measure_machine.c
CROSS_SOURCES = $(filter-out $(CROSS_EXCEPT),$(sort $(MICROVM_SOURCES) $(IMPORT_SOURCES) $(SECCOMP_COMPILE_SOURCES) \
    $(INIT_SOURCES) $(PROBES_SOURCES)))

.PHONY: cross cross-objects
cross: $(BUILD)/gen/seccomp_filter.inc
	@mkdir -p $(CROSS_BUILD)/gen
	@cp $< $(CROSS_BUILD)/gen/ # a program that runs compiles the filter, so use the host's
	$(MAKE) --no-print-directory ARCH=$(CROSS_ARCH) CC=$(CROSS_CC) BUILD=$(CROSS_BUILD) CPPFLAGS='-idirafter /usr/include' \
	    -o $(CROSS_BUILD)/gen/seccomp_filter.inc cross-objects
	@grep -q '"lseek"' $(CROSS_BUILD)/gen/syscall_names.inc # another macro defines the number of this call
	@echo "cross: $(words $(CROSS_SOURCES)) sources compile for $(CROSS_ARCH)"

cross-objects: $(call objects,$(CROSS_SOURCES))
