/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names of this architecture. The build copies the file of its architecture to
 * <gen/architecture.h>, for code that does not include arch.h: user space, and the guest. No code,
 * and nothing that needs a header.
 */
#define ARCHITECTURE_NAME  "x86_64"          /* uname(2) */
#define ARCHITECTURE_IMAGE "amd64"           /* image configs: Go's GOARCH */
#define ARCHITECTURE_AUDIT AUDIT_ARCH_X86_64 /* of seccomp_data and ptrace; in linux/audit.h */

/* System call tables by their names in the OCI runtime specification, and the other ones by
 * libseccomp's names. */
#define ARCHITECTURE_SECCOMP      "SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"
#define ARCHITECTURE_SECCOMP_MORE SCMP_ARCH_X86, SCMP_ARCH_X32

/* How a host gets a missing /dev/kvm, apart from what its firmware has to allow. */
#define ARCHITECTURE_KVM_MISSING "load the module kvm_intel or kvm_amd"
