/* SPDX-License-Identifier: Apache-2.0 */
/* A tree, a spool and an unfinished archive, for tests of layers. */
#ifndef MICROVM_TESTS_UNIT_IMAGE_LAYER_FIXTURE_H
#define MICROVM_TESTS_UNIT_IMAGE_LAYER_FIXTURE_H

#include <errno.h>

#include "tests/unit/image/tar_maker.h"
#include "tests/unit/unit.h"
#include "vmm/image/import/layer.h"

struct fixture {
    struct tree *tree;
    struct spool spool;
    struct tar_maker maker;
};

/* For cmocka_unit_test_setup_teardown(). */
int layer_set_up(void **state);
int layer_tear_down(void **state);

/* Applies the archive, and begins the next one. */
void apply_fine(struct fixture *fixture);
void apply_refused(struct fixture *fixture, int code, const char *message);

/* The tree as "a/ a/file=content a/link->target a/twice=x(2)"; its count of nodes must be right. */
void assert_tree(const struct fixture *fixture, const char *expected);

#endif
