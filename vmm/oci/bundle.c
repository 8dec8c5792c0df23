/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a bundle; see bundle.h. */
#include "vmm/oci/bundle.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/cleanup.h"

static int make_hosts(const char *address, const char *hostname, const char *more, char **text)
{
    return asprintf(text,
                    "127.0.0.1\tlocalhost\n"
                    "::1\tlocalhost ip6-localhost ip6-loopback\n"
                    "fe00::0\tip6-localnet\n"
                    "ff00::0\tip6-mcastprefix\n"
                    "ff02::1\tip6-allnodes\n"
                    "ff02::2\tip6-allrouters\n"
                    "%s\t%s\n%s",
                    address ? address : "127.0.1.1", hostname, more ? more : "");
}

/* Takes over `data`. */
static void add_file(struct bundle *bundle, const char *name, mode_t mode, char *data, size_t size)
{
    bundle->files[bundle->count++] = (struct bundle_file){name, mode, data, size};
}

static void add_text(struct bundle *bundle, const char *name, char *text)
{
    add_file(bundle, name, 0644, text, strlen(text));
}

int bundle_create(const struct oci_config *config, const struct bundle_contents *contents,
                  struct bundle *bundle, struct error *err)
{
    AUTO_FREE char *text = NULL;
    AUTO_FREE char *hosts = NULL;
    AUTO_FREE char *hostname = NULL;
    AUTO_FREE char *resolv_conf = strdup(contents->resolv_conf ? contents->resolv_conf : "");
    AUTO_FREE char *program = contents->program ? malloc(contents->program_size) : NULL;
    AUTO_FREE char *targets = NULL;
    size_t targets_size = 0;
    int rc;

    *bundle = (struct bundle){.count = 0};
    rc = oci_config_write(config, &text, err);
    if (rc < 0)
        return rc;
    if (oci_mounts_list_targets(&config->mounts, &targets, &targets_size) < 0 || !resolv_conf ||
        (contents->program && !program) ||
        make_hosts(contents->address, config->hostname, contents->hosts, &hosts) < 0 ||
        asprintf(&hostname, "%s\n", config->hostname) < 0)
        return error_set_errno(err, ENOMEM, "bundle");
    add_text(bundle, "config.json", steal_pointer(text));
    add_text(bundle, "hosts", steal_pointer(hosts));
    add_text(bundle, "hostname", steal_pointer(hostname));
    add_text(bundle, "resolv.conf", steal_pointer(resolv_conf));
    add_file(bundle, "targets", 0644, steal_pointer(targets), targets_size);
    if (program) {
        memcpy(program, contents->program, contents->program_size);
        add_file(bundle, "program", 0755, steal_pointer(program), contents->program_size);
    }
    return 0;
}

void bundle_release(struct bundle *bundle)
{
    for (size_t i = 0; i < bundle->count; i++)
        free(bundle->files[i].data);
    *bundle = (struct bundle){.count = 0};
}
