# SPDX-License-Identifier: Apache-2.0
# `make check-intel`: the monitor under kvm-intel, on an emulated Intel processor. `make check-intel INTEL=boot` runs some cases.

.PHONY: check-intel
check-intel: all kernel $(GUEST_TEST)
	BUILD=$(BUILD) tests/intel/run $(INTEL)
