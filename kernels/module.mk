# SPDX-License-Identifier: Apache-2.0
# Kernels, built once into a cache outside of the tree: the guest's, linked to from $(BUILD), and the development host's, which
# tests/devhost/devhost builds by itself when it needs it. See kernels/README.md.

.PHONY: kernel-devhost

kernel:
	kernels/build --arch $(ARCH) --link $(BUILD)/vmlinux

kernel-devhost:
	kernels/build --kernel devhost --arch $(ARCH)
