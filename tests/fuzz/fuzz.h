/* What the fuzz targets share. */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The path of a file in memory with these bytes; the same file each time. The targets are linked so that mapping it
 * makes the bytes behind its end in the last page forbidden to the sanitizer. */
const char *fuzz_file(const uint8_t *data, size_t size);

struct hg_value;
/* Reads the first and the last elements of every array. */
void fuzz_elements(const struct hg_value *v);

/* Decodes an image as RGB, and as it is. */
void fuzz_image(const uint8_t *data, size_t size);

#endif
