# SPDX-License-Identifier: Apache-2.0
# The guest kernel, built once into a cache outside the tree and linked from $(BUILD). See kernels/README.md.

kernel:
	kernels/build --arch $(ARCH) --link $(BUILD)/vmlinux
