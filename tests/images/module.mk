# SPDX-License-Identifier: Apache-2.0
# Tests the import of images made and packed by other programs.

.PHONY: images
images: $(BUILD)/microvm $(BUILD)/microvm-import
	tests/images/check $(BUILD)
