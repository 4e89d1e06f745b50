/* y = f(a, b): contiguous, and with operands of any strides (broadcasting). A work-item owns its share of the results.
 * Both device classes: plain loops over one row for the compiler to vectorise on a CPU, one element a step on a GPU. */
#include "elementwise.clh"

HG_BINARY(plus, T, u + v)
HG_BINARY(minus, T, u - v)
HG_BINARY(times, T, u * v)
#if !T_INT
HG_BINARY(over, T, u / v)
/* NaN wins */
HG_BINARY(smaller, T, u < v || u != u ? u : v)
HG_BINARY(larger, T, u > v || u != u ? u : v)
#else
HG_BINARY(smaller, T, u < v ? u : v)
HG_BINARY(larger, T, u > v ? u : v)
#endif
