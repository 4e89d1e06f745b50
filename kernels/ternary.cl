/* Functions of three operands of any strides: where, and the gradients of binary ones (t is the gradient). Both device
 * classes; a work-item owns its share of the results. */
#include "elementwise.clh"

HG_TERNARY(choose, uchar, t ? u : v)

#if !T_INT
/* Gradients of u: ties of smaller and larger share theirs; with NaN both operands get all of it. */
HG_TERNARY(smaller_bwd, T, u == v ? t / 2 : u > v ? (T)0 : t)
HG_TERNARY(larger_bwd, T, u == v ? t / 2 : u < v ? (T)0 : t)
/* The gradient of v in u / v. */
HG_TERNARY(over_bwd, T, -t * ((u / v) / v))
#endif
