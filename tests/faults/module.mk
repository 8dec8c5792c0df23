# SPDX-License-Identifier: Apache-2.0
# Fault injection: failing system calls and allocations, killed processes, full file systems, few descriptors.
# `make faults` runs a sample of each sweep, `make check-long` all of it; `make faults FAULTS="calls/image-load"` some of it.

FAULTS_DIR = $(BUILD)/faults

.PHONY: faults check-long
check: faults
faults: all $(FAULTS_DIR)/microvm $(FAULTS_DIR)/microvm-import $(FAULTS_DIR)/inject
	BUILD=$(BUILD) tests/faults/run $(FAULTS)

check-long: all $(FAULTS_DIR)/microvm $(FAULTS_DIR)/microvm-import $(FAULTS_DIR)/inject
	BUILD=$(BUILD) tests/faults/run --all $(FAULTS)

$(FAULTS_DIR)/inject: $(call objects,tests/faults/inject.c vmm/base/syscall_name.c)
	@mkdir -p $(@D)
	$(call brief,LINK)$(CC) $(LDFLAGS_COMMON) $(LDFLAGS) -o $@ $^

# The unchanged programs, on a KVM and an allocator that the tests control.
$(FAULTS_DIR)/microvm: $(call objects,$(MICROVM_SOURCES) $(addprefix tests/faults/,fake_kvm.c fake_guest.c failing_malloc.c))
	@mkdir -p $(@D)
	$(call brief,LINK)$(CC) $(LDFLAGS_COMMON) -Wl,--wrap=arch_kvm_class $(LDFLAGS) -o $@ $^ $(MICROVM_LIBS)

$(FAULTS_DIR)/microvm-import: $(call objects,$(IMPORT_SOURCES) tests/faults/failing_malloc.c)
	@mkdir -p $(@D)
	$(call brief,LINK)$(CC) $(LDFLAGS_COMMON) $(LDFLAGS) -o $@ $^ $(IMPORT_LIBS)
