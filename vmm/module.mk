# SPDX-License-Identifier: Apache-2.0
# build/microvm: the command and the monitor. build/microvm-import: reads hostile archives into the store.

VERSION = 0.1.0

# Libraries that the monitor needs are linked statically: its start-up is part of what users wait for.
MICROVM_ROOMS   = base confine arch arch/$(ARCH) machine monitor report image oci network sandbox container trial compare probe cli
MICROVM_SOURCES = $(wildcard $(MICROVM_ROOMS:%=vmm/%/*.c) devices/*.c devices/*/*.c)
MICROVM_LIBS    = -Wl,-Bstatic -lfdt -ljansson -lnettle -Wl,-Bdynamic -lpthread

# What runs once a command, and not in the monitor's loops, is compiled for size: less to read at each start.
$(foreach room,cli compare container network oci probe report trial,$(BUILD)/obj/vmm/$(room)/%.o): CFLAGS_COMMON += -Os

# The container's system call filter is compiled once, here, and not at every start of one.
SECCOMP_COMPILE_SOURCES = vmm/oci/seccomp_compile.c vmm/oci/seccomp_profile.c vmm/base/io.c vmm/base/error.c
MICROVM_SOURCES := $(filter-out vmm/oci/seccomp_compile.c,$(MICROVM_SOURCES))

$(BUILD)/gen/seccomp-compile: $(call objects,$(SECCOMP_COMPILE_SOURCES))
	$(call brief,LINK)$(CC) $(LDFLAGS_COMMON) $(LDFLAGS) -o $@ $^ -lseccomp -lnettle

$(BUILD)/gen/seccomp_filter.inc: $(BUILD)/gen/seccomp-compile
	$(call brief,GEN)$< >$@

$(foreach kind,obj san fuzz/obj,$(BUILD)/$(kind)/vmm/oci/seccomp.o): $(BUILD)/gen/seccomp_filter.inc

IMPORT_SOURCES = $(wildcard vmm/base/*.c vmm/confine/*.c vmm/image/*.c vmm/image/import/*.c) vmm/arch/$(ARCH)/host_level.c
IMPORT_LIBS    = -larchive -lsquashfs -lz -ljansson -lnettle

all: $(BUILD)/microvm $(BUILD)/microvm-import

$(BUILD)/microvm: $(call objects,$(MICROVM_SOURCES))
	$(call brief,LINK)$(CC) $(LDFLAGS_COMMON) $(LDFLAGS) -o $@ $^ $(MICROVM_LIBS)

$(BUILD)/microvm-import: $(call objects,$(IMPORT_SOURCES))
	$(call brief,LINK)$(CC) $(LDFLAGS_COMMON) $(LDFLAGS) -o $@ $^ $(IMPORT_LIBS)

# What is compiled in beside the sources. Each stamp changes only when its text does, and then one file is compiled anew.
COMMIT := $(shell git describe --always --dirty --abbrev=12 2>/dev/null)
stamp  = @mkdir -p $(@D); echo '$(1)' | cmp -s - $@ || echo '$(1)' >$@

.PHONY: always
$(BUILD)/stamp/version: always
	$(call stamp,$(VERSION) $(COMMIT))
$(BUILD)/stamp/libexecdir: always
	$(call stamp,$(LIBEXECDIR))

$(BUILD)/obj/vmm/cli/cmd_version.o: $(BUILD)/stamp/version
$(BUILD)/obj/vmm/cli/cmd_version.o: CPPFLAGS_COMMON += -DMICROVM_VERSION='"$(VERSION)"' -DMICROVM_COMMIT='"$(COMMIT)"'
$(BUILD)/obj/vmm/base/program_file.o: $(BUILD)/stamp/libexecdir
$(BUILD)/obj/vmm/base/program_file.o: CPPFLAGS_COMMON += -DMICROVM_LIBEXECDIR='"$(LIBEXECDIR)"'

# The kernel is built by 'make kernel', or by a packager elsewhere: KERNEL=FILE.
KERNEL ?= $(BUILD)/vmlinux

.PHONY: uninstall
install: all
	@test -e $(KERNEL) || { echo "install: no $(KERNEL); build it by 'make kernel', or name one: KERNEL=FILE" >&2; exit 1; }
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(LIBEXECDIR) $(DESTDIR)$(MANDIR)/man1
	install -s -m 755 $(BUILD)/microvm $(DESTDIR)$(PREFIX)/bin/microvm
	install -s -m 755 $(BUILD)/microvm-import $(DESTDIR)$(LIBEXECDIR)/microvm-import
	install -s -m 755 $(BUILD)/microvm-probes $(DESTDIR)$(LIBEXECDIR)/microvm-probes
	install -m 755 $(BUILD)/microvm-init $(DESTDIR)$(LIBEXECDIR)/microvm-init
	install -m 755 $(BUILD)/crun $(DESTDIR)$(LIBEXECDIR)/crun
	install -m 644 $(BUILD)/initramfs.cpio $(DESTDIR)$(LIBEXECDIR)/initramfs.cpio
	install -m 644 $(KERNEL) $(DESTDIR)$(LIBEXECDIR)/vmlinux
	install -m 644 docs/reference/microvm.1 $(DESTDIR)$(MANDIR)/man1/microvm.1

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/microvm $(DESTDIR)$(MANDIR)/man1/microvm.1
	rm -f $(addprefix $(DESTDIR)$(LIBEXECDIR)/,microvm-import microvm-init crun microvm-probes initramfs.cpio vmlinux)
	rmdir --ignore-fail-on-non-empty $(DESTDIR)$(LIBEXECDIR)
