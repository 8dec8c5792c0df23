# SPDX-License-Identifier: Apache-2.0
# `make check-intel`: the monitor under kvm-intel, on an emulated Intel processor. `make check-intel INTEL=boot_and_run` runs some cases.
# `make check` leaves the end-to-end tests among them to `make check-long`.

.PHONY: check-intel
check: INTEL = --short
check check-long: check-intel
check-intel: all kernel $(GUEST_TEST)
	BUILD=$(BUILD) tests/intel/run $(INTEL)
