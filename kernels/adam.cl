/* One step of Adam or AdamW for one parameter, weight decay and moments in the same pass. In PyTorch's order of
 * operations (torch/optim/adam.py, _single_tensor_adam):
 *
 *     p = shrink p;  g += l2 p;  m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g g
 *     p += -step m / (sqrt(v) / root + eps)       step = lr / (1 - beta1^t), root = sqrt(1 - beta2^t)
 *
 * adam_max (amsgrad) has the largest v so far in the place of v. An element a step, both device classes. Nothing is
 * changed while the device's fault word is set. */
#include "common.clh"

#define ADAM(denominator)                                                                                             \
    HG_FOR(i, n)                                                                                                      \
    {                                                                                                                 \
        REAL w = shrink * p[i], d = fma(l2, w, g[i]);                                                                 \
        REAL a = fma(rest1, d, m[i] * beta1), b = fma(rest2 * d, d, v[i] * beta2);                                    \
        m[i] = a;                                                                                                     \
        v[i] = b;                                                                                                     \
        p[i] = w - step * a / (sqrt(denominator) / root + eps);                                                       \
    }

__kernel void adam(long n, __global const int *restrict fault, REAL beta1, REAL rest1, REAL beta2, REAL rest2, REAL l2,
                   REAL shrink, REAL step, REAL root, REAL eps, __global const REAL *restrict g, long go,
                   __global REAL *restrict p, long po, __global REAL *restrict m, long mo, __global REAL *restrict v,
                   long vo)
{
    if (fault[0]) return;
    g += go;
    p += po;
    m += mo;
    v += vo;
    ADAM(b)
}

/* torch.maximum: NaN wins. */
static inline REAL larger(REAL a, REAL b)
{
    return a > b || isnan(a) ? a : b;
}

__kernel void adam_max(long n, __global const int *restrict fault, REAL beta1, REAL rest1, REAL beta2, REAL rest2,
                       REAL l2, REAL shrink, REAL step, REAL root, REAL eps, __global const REAL *restrict g, long go,
                       __global REAL *restrict p, long po, __global REAL *restrict m, long mo,
                       __global REAL *restrict v, long vo, __global REAL *restrict x, long xo)
{
    if (fault[0]) return;
    g += go;
    p += po;
    m += mo;
    v += vo;
    x += xo;
    ADAM(x[i] = larger(x[i], b))
}
