/* One step of SGD for up to eight parameters, in PyTorch's order of operations (torch/optim/sgd.py,
 * _single_tensor_sgd):
 *
 *     d = g + decay p
 *     sgd            p -= lr d
 *     sgd_momentum   buf = momentum buf + (1 - dampening) d, at the first step buf = d;  p -= lr buf
 *                    nesterov: p -= lr (d + momentum buf)
 *
 * An element a step, both device classes; slots.clh has the split of work. Nothing is changed while the device's fault
 * word is set. */
#include "slots.clh"

static inline void sgd_slot(long n, ulong turn, REAL lr, REAL decay, __global const REAL *restrict g,
                            __global REAL *restrict p)
{
    HG_SLOT_FOR(i, n, turn) p[i] = fma(-lr, fma(decay, p[i], g[i]), p[i]);
}

__kernel void sgd(long8 n, __global const int *restrict fault, REAL lr, REAL decay,
                  HG_SLOT_ARGS(__global const REAL *restrict, g), HG_SLOT_ARGS(__global REAL *restrict, p))
{
    ulong turn = 0;
    if (fault[0]) return;
    for (int k = 0; k < HG_SLOTS; k++) {
        const long size = HG_PICK(k, n.s);
        turn += HG_TURN(size);
        sgd_slot(size, turn, lr, decay, HG_SLOT(k, g), HG_SLOT(k, p));
    }
}

static inline void sgd_momentum_slot(long n, ulong turn, REAL lr, REAL decay, REAL momentum, REAL rest, int first,
                                     int nesterov, __global const REAL *restrict g, __global REAL *restrict p,
                                     __global REAL *restrict buf)
{
    HG_SLOT_FOR(i, n, turn)
    {
        REAL d = fma(decay, p[i], g[i]);
        REAL b = first ? d : fma(rest, d, momentum * buf[i]);
        buf[i] = b;
        p[i] = fma(-lr, nesterov ? fma(momentum, b, d) : b, p[i]);
    }
}

/* The parameters have all had their first step before, or none of them has. */
__kernel void sgd_momentum(long8 n, __global const int *restrict fault, REAL lr, REAL decay, REAL momentum, REAL rest,
                           int first, int nesterov, HG_SLOT_ARGS(__global const REAL *restrict, g),
                           HG_SLOT_ARGS(__global REAL *restrict, p), HG_SLOT_ARGS(__global REAL *restrict, buf))
{
    ulong turn = 0;
    if (fault[0]) return;
    for (int k = 0; k < HG_SLOTS; k++) {
        const long size = HG_PICK(k, n.s);
        turn += HG_TURN(size);
        sgd_momentum_slot(size, turn, lr, decay, momentum, rest, first, nesterov, HG_SLOT(k, g), HG_SLOT(k, p),
                          HG_SLOT(k, buf));
    }
}
