# SPDX-License-Identifier: Apache-2.0
# `make docs` runs every command of the lessons anew, writes what they print into the pages, and draws their pictures.

.PHONY: docs docs-tables
# The tables that are made from the sources: no run is needed for them.
docs-tables:
	docs/guide/make-tables

docs: all kernel docs-tables
	BUILD=$(BUILD) docs/lessons/make
