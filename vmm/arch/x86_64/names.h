/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this architecture is called by whom. The build takes the file of its own architecture as
 * <gen/architecture.h>, which names it for those who are not behind arch.h: user space, the
 * guest's too. No code, and nothing that needs a header.
 */
#define ARCHITECTURE_NAME  "x86_64"          /* uname(2) */
#define ARCHITECTURE_IMAGE "amd64"           /* image configs: Go's GOARCH */
#define ARCHITECTURE_AUDIT AUDIT_ARCH_X86_64 /* of seccomp_data and ptrace; in linux/audit.h */

/* System call tables by their names in the OCI runtime specification, and those beside our own by
 * libseccomp's. */
#define ARCHITECTURE_SECCOMP      "SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"
#define ARCHITECTURE_SECCOMP_MORE SCMP_ARCH_X86, SCMP_ARCH_X32

/* How a host gets a /dev/kvm that is not there, beside what its firmware has to allow. */
#define ARCHITECTURE_KVM_MISSING "load the module kvm_intel or kvm_amd"
