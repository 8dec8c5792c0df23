# SPDX-License-Identifier: Apache-2.0
# The guest kernel, built once into a cache outside of the tree and linked to from $(BUILD). See kernels/README.md.

kernel:
	kernels/build --arch $(ARCH) --link $(BUILD)/vmlinux
