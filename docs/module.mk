# SPDX-License-Identifier: Apache-2.0
# `make docs` runs every command in the sessions of README.md and of the lessons, writes what they print into the pages, and
# draws the lessons' pictures.

.PHONY: docs docs-tables
# The tables that are made from the sources: they need no run.
docs-tables:
	docs/guide/make-tables

docs: all kernel docs-tables
	BUILD=$(BUILD) docs/make-sessions
