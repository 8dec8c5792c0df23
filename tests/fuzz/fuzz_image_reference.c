/* SPDX-License-Identifier: Apache-2.0 */
/* Image references. What is accepted keeps its meaning when it is written and read again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/image/reference.h"
#include "vmm/oci/process.h"

static void require(bool fine)
{
    if (!fine)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = strndup((const char *)data, size);
    char written[REFERENCE_TEXT_SIZE];
    struct reference first;
    struct reference second;

    require(text != NULL);
    process_signal_number(text);
    if (reference_parse(text, &first, NULL) == 0 && first.kind == REFERENCE_NAME) {
        reference_format(&first, written, sizeof(written));
        require(reference_parse(written, &second, NULL) == 0);
        require(strcmp(first.name, second.name) == 0 && strcmp(first.tag, second.tag) == 0 &&
                strcmp(first.digest, second.digest) == 0);
    }
    free(text);
    return 0;
}
