/* SPDX-License-Identifier: Apache-2.0 */
/* What every unit test includes first: cmocka, and the headers that it wants before it. */
#ifndef MICROVM_TESTS_UNIT_UNIT_H
#define MICROVM_TESTS_UNIT_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#endif
