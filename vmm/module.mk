# SPDX-License-Identifier: Apache-2.0
# build/microvm: the command and the monitor. build/microvm-import: reads hostile archives into the store.

# Libraries that the monitor needs are linked statically: its start-up is part of what users wait for.
MICROVM_SOURCES = $(wildcard vmm/base/*.c vmm/arch/*.c vmm/arch/$(ARCH)/*.c vmm/machine/*.c vmm/image/*.c \
    vmm/instance/*.c vmm/isolation/*.c vmm/jail/*.c vmm/cli/*.c devices/*.c devices/*/*.c)
MICROVM_LIBS    = -Wl,-Bstatic -lfdt -ljansson -lnettle -Wl,-Bdynamic -lpthread

IMPORT_SOURCES = $(wildcard vmm/base/*.c vmm/image/*.c vmm/image/import/*.c)
IMPORT_LIBS    = -larchive -lsquashfs -ljansson -lnettle -lzstd -lz

all: $(BUILD)/microvm $(BUILD)/microvm-import

$(BUILD)/microvm: $(call objects,$(MICROVM_SOURCES))
	$(CC) $(LDFLAGS_COMMON) $(LDFLAGS) -o $@ $^ $(MICROVM_LIBS)

$(BUILD)/microvm-import: $(call objects,$(IMPORT_SOURCES))
	$(CC) $(LDFLAGS_COMMON) $(LDFLAGS) -o $@ $^ $(IMPORT_LIBS)
