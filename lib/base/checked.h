/* Arithmetic that says when it overflows, for sizes that come from files and callers. */
#ifndef HG_BASE_CHECKED_H
#define HG_BASE_CHECKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* True and *out set, or false on overflow. */
static inline bool hg_mul_i64(int64_t a, int64_t b, int64_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

static inline bool hg_add_i64(int64_t a, int64_t b, int64_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

static inline bool hg_mul_size(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

static inline int64_t hg_ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static inline int64_t hg_round_up(int64_t a, int64_t multiple)
{
    return hg_ceil_div(a, multiple) * multiple;
}

static inline int64_t hg_min_i64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t hg_max_i64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

#endif
