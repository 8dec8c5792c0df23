/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON documents of an image, and all that is made of a config: what finally runs,
 * with hostile passwd and group files, and the bundle. The input's first byte chooses the document;
 * zero bytes part the config from passwd, group and user.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/image/config.h"
#include "vmm/oci/bundle.h"
#include "vmm/oci/environment.h"
#include "vmm/oci/process.h"

/* Takes the bytes up to the next zero. */
static char *take(const uint8_t **data, size_t *size)
{
    size_t length = strnlen((const char *)*data, *size);
    char *text = strndup((const char *)*data, length);

    if (!text)
        abort();
    length += length < *size;
    *data += length;
    *size -= length;
    return text;
}

static void make_bundle(const struct image_config *image, struct process *process,
                        const struct oci_options *options)
{
    const struct bundle_contents contents = {.hosts = ""};
    struct oci_config config;
    struct bundle bundle = {.count = 0};

    if (oci_config_init(&config, NULL) < 0)
        abort();
    if (oci_config_apply(&config, image, process, options, NULL) == 0 &&
        oci_config_set_bundle(&config, "/b", NULL) == 0)
        (void)bundle_create(&config, &contents, &bundle, NULL);
    bundle_release(&bundle);
    oci_config_release(&config);
}

static void run_config(const uint8_t *data, size_t size)
{
    char *text = take(&data, &size);
    char *passwd = take(&data, &size);
    char *group = take(&data, &size);
    char *user = take(&data, &size);
    struct process_options options = {.hostname = "h", .user = user};
    struct oci_options oci_options = {.hostname = "h", .read_only = true};
    struct image_config config;
    struct process process;

    environment_add_file(&options.environment, "file", group, NULL, NULL);
    if (config_parse(text, strlen(text), "config", &config, NULL) == 0) {
        if (process_resolve(&config, passwd, group, &options, &process, NULL) == 0) {
            string_list_add(&oci_options.tmpfs, user);
            make_bundle(&config, &process, &oci_options);
            string_list_release(&oci_options.tmpfs);
            process_release(&process);
        }
        config_release(&config);
    }
    string_list_release(&options.environment);
    free(text);
    free(passwd);
    free(group);
    free(user);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct image_manifest manifest;
    struct image_index index;
    struct error err;

    if (size == 0)
        return 0;
    switch (data[0] % 3) {
    case 0:
        run_config(data + 1, size - 1);
        break;
    case 1:
        if (manifest_parse((const char *)data + 1, size - 1, "manifest", &manifest, &err) == 0)
            manifest_release(&manifest);
        break;
    default:
        if (index_parse((const char *)data + 1, size - 1, "index", &index, &err) == 0)
            index_release(&index);
    }
    return 0;
}
