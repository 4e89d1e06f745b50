/* Sizes in bytes as people write them. */
#ifndef HG_BASE_SIZE_H
#define HG_BASE_SIZE_H

#include <stdbool.h>
#include <stdint.h>

/* "1048576", "512K", "1.5G", "64MiB": a positive number of bytes, K, M and G meaning powers of 1,024. False, and *bytes
 * untouched, if it is none. */
bool hg_parse_size(const char *text, uint64_t *bytes);

#endif
