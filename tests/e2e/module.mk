# SPDX-License-Identifier: Apache-2.0
# Real boots of real images. `make e2e E2E="signals stdio/no_input"` runs some of them.

.PHONY: e2e
e2e: all kernel $(BUILD)/escape/microvm
	BUILD=$(BUILD) tests/e2e/run $(E2E)
