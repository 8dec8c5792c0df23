/* SPDX-License-Identifier: Apache-2.0 */
/* A separate store, and hand-made archives to import into it. */
#ifndef MICROVM_TESTS_UNIT_IMAGE_IMPORT_FIXTURE_H
#define MICROVM_TESTS_UNIT_IMAGE_IMPORT_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>

#include "tests/unit/image/tar_maker.h"
#include "vmm/image/image.h"
#include "vmm/image/load.h"

struct import_fixture {
    char directory[64];
    char store[80];
    char archive[80];
    struct tar_maker maker;
    char config[1024];
    char config_name[DIGEST_SIZE + 8]; /* "HEX.json" */
    char config_digest[DIGEST_SIZE];
    char *layer; /* a tar archive with /etc/passwd */
    size_t layer_size;
    enum load_kind kind; /* of the last import */
    char layer_digest[DIGEST_SIZE];
    struct load_limits limits; /* ratio 0: the default ones */
};

/* cmocka's: *state is a struct import_fixture *. */
int import_fixture_set_up(void **state);
int import_fixture_tear_down(void **state);

/* Creates a new configuration; `more` goes into its "config" object. */
void import_fixture_config(struct import_fixture *fixture, const char *architecture,
                           const char *more);

/* Adds a file to the archive. */
void import_fixture_add(struct import_fixture *fixture, const char *name, const void *data,
                        size_t size);

/* Adds configuration and manifest.json of a docker archive; `layer` is the layer's name. */
void import_fixture_add_docker(struct import_fixture *fixture, const char *layer, const char *tags);

/* Adds an OCI layout of two images, by their tags. */
void import_fixture_add_oci(struct import_fixture *fixture, const char *first, const char *second);

/* "HEX" of the layer and `suffix`, until the next call. */
const char *import_fixture_layer_name(const struct import_fixture *fixture, const char *suffix);

/* Writes the archive to its file, and begins the next one. */
void import_fixture_write(struct import_fixture *fixture);

/* Imports the archive, and begins the next one; `result` gets the names, separated by spaces. */
int import_fixture_run(struct import_fixture *fixture, const char *name, bool unnamed, char *result,
                       struct error *err);

/* Imports, and fails unless the names are those expected. */
void import_fine(struct import_fixture *fixture, const char *name, bool unnamed,
                 const char *expected);

/* Files in the store. */
int import_fixture_files(const struct import_fixture *fixture);

/* Imports, and fails unless it is refused with this code and message and does not change the
 * store. */
void import_refused(struct import_fixture *fixture, int code, const char *message);

#endif
