/* y = 1 where a comparison holds, else 0; operands of any strides, or one of them a number. Both device classes; a
 * work-item owns its share of the results. */
#include "elementwise.clh"

HG_BINARY(eq, uchar, u == v)
HG_BINARY(ne, uchar, u != v)
HG_BINARY(lt, uchar, u < v)
HG_BINARY(le, uchar, u <= v)
HG_BINARY(gt, uchar, u > v)
HG_BINARY(ge, uchar, u >= v)
HG_BINARY(same, uchar, u == v || (u != u && v != v))    /* NaN is NaN */

#define NUMBER(name, relation)                                                                                        \
    __kernel void name(long n, __global const T *restrict x, long xo, __global uchar *restrict y, long yo, SCALAR p)  \
    {                                                                                                                 \
        x += xo;                                                                                                      \
        y += yo;                                                                                                      \
        HG_FOR(i, n) y[i] = x[i] relation p;                                                                          \
    }

NUMBER(ge_number, >=)
NUMBER(lt_number, <)
