/* One step of Adam or AdamW for up to eight parameters, weight decay and moments in the same pass. In PyTorch's order
 * of operations (torch/optim/adam.py, _single_tensor_adam), but for a factor where it divides by its inverse:
 *
 *     p = shrink p;  g += l2 p;  m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g g
 *     p += -step m / (sqrt(v) rise + eps)       step = lr / (1 - beta1^t), rise = 1 / sqrt(1 - beta2^t)
 *
 * adam_max (amsgrad) has the largest v so far in the place of v. An element a step, both device classes; slots.clh has
 * the split of work. The parameters have taken equally many steps. Nothing is changed while the device's fault word is
 * set. */
#include "slots.clh"

typedef struct adam_numbers {
    REAL beta1, rest1, beta2, rest2, l2, shrink, step, rise, eps;
} adam_numbers;

/* torch.maximum: NaN wins. */
static inline REAL larger(REAL a, REAL b)
{
    return a > b || isnan(a) ? a : b;
}

/* x: NULL without amsgrad. */
static inline void adam_slot(long n, ulong turn, adam_numbers c, __global const REAL *restrict g,
                             __global REAL *restrict p, __global REAL *restrict m, __global REAL *restrict v,
                             __global REAL *restrict x)
{
    HG_SLOT_FOR(i, n, turn)
    {
        REAL w = c.shrink * p[i], d = fma(c.l2, w, g[i]);
        REAL a = fma(c.rest1, d, m[i] * c.beta1), b = fma(c.rest2 * d, d, v[i] * c.beta2);
        m[i] = a;
        v[i] = b;
        if (x) b = x[i] = larger(x[i], b);
        p[i] = w - c.step * a / (sqrt(b) * c.rise + c.eps);
    }
}

__kernel void adam(long8 n, __global const int *restrict fault, REAL beta1, REAL rest1, REAL beta2, REAL rest2, REAL l2,
                   REAL shrink, REAL step, REAL rise, REAL eps, HG_SLOT_ARGS(__global const REAL *restrict, g),
                   HG_SLOT_ARGS(__global REAL *restrict, p), HG_SLOT_ARGS(__global REAL *restrict, m),
                   HG_SLOT_ARGS(__global REAL *restrict, v))
{
    const adam_numbers c = {beta1, rest1, beta2, rest2, l2, shrink, step, rise, eps};
    ulong turn = 0;
    if (fault[0]) return;
    for (int k = 0; k < HG_SLOTS; k++) {
        const long size = HG_PICK(k, n.s);
        turn += HG_TURN(size);
        adam_slot(size, turn, c, HG_SLOT(k, g), HG_SLOT(k, p), HG_SLOT(k, m), HG_SLOT(k, v), 0);
    }
}

__kernel void adam_max(long8 n, __global const int *restrict fault, REAL beta1, REAL rest1, REAL beta2, REAL rest2,
                       REAL l2, REAL shrink, REAL step, REAL rise, REAL eps,
                       HG_SLOT_ARGS(__global const REAL *restrict, g), HG_SLOT_ARGS(__global REAL *restrict, p),
                       HG_SLOT_ARGS(__global REAL *restrict, m), HG_SLOT_ARGS(__global REAL *restrict, v),
                       HG_SLOT_ARGS(__global REAL *restrict, x))
{
    const adam_numbers c = {beta1, rest1, beta2, rest2, l2, shrink, step, rise, eps};
    ulong turn = 0;
    if (fault[0]) return;
    for (int k = 0; k < HG_SLOTS; k++) {
        const long size = HG_PICK(k, n.s);
        turn += HG_TURN(size);
        adam_slot(size, turn, c, HG_SLOT(k, g), HG_SLOT(k, p), HG_SLOT(k, m), HG_SLOT(k, v), HG_SLOT(k, x));
    }
}
