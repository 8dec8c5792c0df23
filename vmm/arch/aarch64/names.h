/* SPDX-License-Identifier: Apache-2.0 */
/* The names of this architecture; see vmm/arch/x86_64/names.h. */
#define ARCHITECTURE_NAME  "aarch64"
#define ARCHITECTURE_IMAGE "arm64"
#define ARCHITECTURE_AUDIT AUDIT_ARCH_AARCH64

#define ARCHITECTURE_SECCOMP      "SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"
#define ARCHITECTURE_SECCOMP_MORE SCMP_ARCH_ARM

#define ARCHITECTURE_KVM_MISSING "boot a kernel that has KVM at EL2"
