/* SPDX-License-Identifier: Apache-2.0 */
/* The system call filter of config.json (OCI runtime specification, config-linux.md,
 * "Seccomp"), and crun's short cut to it. */
#include <gen/architecture.h>
#include <jansson.h>

#include "vmm/base/bytes.h"
#include "vmm/base/json.h"
#include "vmm/oci/seccomp.h"
#include "vmm/oci/seccomp_profile.h"

/* With base64 of the filter that build/gen/seccomp-compile makes of the same profile. */
const char seccomp_annotations[] = "{\"run.oci.seccomp_bpf_data\":\""
#include <gen/seccomp_filter.inc>
                                   "\"}";

static json_t *make_rule(const struct seccomp_rule *rule)
{
    const bool masked = rule->comparison == SECCOMP_MASKED_CLEAR;
    const char *operation = masked                              ? "SCMP_CMP_MASKED_EQ"
                            : rule->comparison == SECCOMP_EQUAL ? "SCMP_CMP_EQ"
                                                                : "SCMP_CMP_LT";

    if (rule->comparison == SECCOMP_NEVER)
        return json_pack("{s:[s], s:s, s:i}", "names", rule->name, "action", "SCMP_ACT_ERRNO",
                         "errnoRet", rule->error);
    return json_pack("{s:[s], s:s, s:[{s:i, s:I, s:I, s:s}]}", "names", rule->name, "action",
                     "SCMP_ACT_ALLOW", "args", "index", (int)rule->index, "value",
                     (json_int_t)rule->value, "valueTwo", (json_int_t)0, "op", operation);
}

json_t *seccomp_make_json(void)
{
    static const char *const architectures[] = {ARCHITECTURE_SECCOMP};
    json_t *tables = json_array();
    json_t *names = json_array();
    json_t *rules = json_array();
    size_t position = 0;
    const char *name;

    while ((name = seccomp_profile_next(&position)))
        json_append(&names, json_string(name));
    json_append(&rules, json_pack("{s:o, s:s}", "names", names, "action", "SCMP_ACT_ALLOW"));
    for (size_t i = 0; i < seccomp_profile_rule_count; i++)
        json_append(&rules, make_rule(&seccomp_profile_rules[i]));
    for (size_t i = 0; i < ARRAY_LENGTH(architectures); i++)
        json_append(&tables, json_string(architectures[i]));
    return json_pack("{s:s, s:i, s:o, s:o}", "defaultAction", "SCMP_ACT_ERRNO", "defaultErrnoRet",
                     SECCOMP_PROFILE_DENIED, "architectures", tables, "syscalls", rules);
}
