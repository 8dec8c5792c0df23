# SPDX-License-Identifier: Apache-2.0
# `make docs` runs every command of the lessons anew, writes what they print into the pages, and draws their pictures.

.PHONY: docs
docs: all kernel
	BUILD=$(BUILD) docs/lessons/make
