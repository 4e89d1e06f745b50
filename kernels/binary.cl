/* y = f(a, b): contiguous, and with operands of any strides (broadcasting). A work-item owns its share of the results.
 * Both device classes: plain loops over one row for the compiler to vectorise on a CPU, one element a step on a GPU. */
#include "elementwise.clh"

#if HG_CPU
#define ROW(name)                                                                                                     \
    if (as == 1 && bs == 1)                                                                                           \
        for (INDEX k = 0; k < run; k++) y[k] = name##_of(a[k], b[k]);                                                 \
    else if (as == 1 && bs == 0) {                                                                                    \
        const T v = *b;                                                                                               \
        for (INDEX k = 0; k < run; k++) y[k] = name##_of(a[k], v);                                                    \
    } else if (as == 0 && bs == 1) {                                                                                  \
        const T u = *a;                                                                                               \
        for (INDEX k = 0; k < run; k++) y[k] = name##_of(u, b[k]);                                                    \
    } else                                                                                                            \
        for (INDEX k = 0; k < run; k++) y[k] = name##_of(a[k * as], b[k * bs]);
#else
#define ROW(name) *y = name##_of(*a, *b);
#endif

#define BINARY(name, expr)                                                                                            \
    static inline T name##_of(T u, T v)                                                                               \
    {                                                                                                                 \
        return (T)(expr);                                                                                             \
    }                                                                                                                 \
    static inline void name##_row(INDEX run, __global const T *restrict a, INDEX as, __global const T *restrict b,    \
                                  INDEX bs, __global T *restrict y)                                                   \
    {                                                                                                                 \
        ROW(name)                                                                                                     \
    }                                                                                                                 \
    __kernel void name(long n, __global const T *restrict a, long ao, __global const T *restrict b, long bo,          \
                       __global T *restrict y, long yo)                                                               \
    {                                                                                                                 \
        a += ao;                                                                                                      \
        b += bo;                                                                                                      \
        y += yo;                                                                                                      \
        HG_FOR(i, n) y[i] = name##_of(a[i], b[i]);                                                                    \
    }                                                                                                                 \
    __kernel void name##_strided(long n, int ndim, long8 size, __global const T *restrict a, long ao, long8 as,       \
                                 __global const T *restrict b, long bo, long8 bs, __global T *restrict y, long yo)    \
    {                                                                                                                 \
        a += ao;                                                                                                      \
        b += bo;                                                                                                      \
        y += yo;                                                                                                      \
        HG_ROWS(n, ndim, size, as, bs, (long8)0, name##_row(run, a + o.x, (INDEX)as.s0, b + o.y, (INDEX)bs.s0, y + at))     \
    }

BINARY(plus, u + v)
BINARY(minus, u - v)
BINARY(times, u * v)
#if !T_INT
BINARY(over, u / v)
/* NaN wins */
BINARY(smaller, u < v || u != u ? u : v)
BINARY(larger, u > v || u != u ? u : v)
#else
BINARY(smaller, u < v ? u : v)
BINARY(larger, u > v ? u : v)
#endif
