# SPDX-License-Identifier: Apache-2.0
# Tests the development host itself.

.PHONY: check-devhost
check: check-devhost
check-devhost:
	tests/devhost/test
