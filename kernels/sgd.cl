/* One step of SGD for one parameter, in PyTorch's order of operations (torch/optim/sgd.py, _single_tensor_sgd):
 *
 *     d = g + decay p
 *     sgd            p -= lr d
 *     sgd_momentum   buf = momentum buf + (1 - dampening) d, at the first step buf = d;  p -= lr buf
 *                    nesterov: p -= lr (d + momentum buf)
 *
 * An element a step, both device classes. Nothing is changed while the device's fault word is set. */
#include "common.clh"

__kernel void sgd(long n, __global const int *restrict fault, REAL lr, REAL decay, __global const REAL *restrict g,
                  long go, __global REAL *restrict p, long po)
{
    if (fault[0]) return;
    g += go;
    p += po;
    HG_FOR(i, n) p[i] = fma(-lr, fma(decay, p[i], g[i]), p[i]);
}

__kernel void sgd_momentum(long n, __global const int *restrict fault, REAL lr, REAL decay, REAL momentum, REAL rest,
                           int first, int nesterov, __global const REAL *restrict g, long go, __global REAL *restrict p,
                           long po, __global REAL *restrict buf, long bo)
{
    if (fault[0]) return;
    g += go;
    p += po;
    buf += bo;
    HG_FOR(i, n)
    {
        REAL d = fma(decay, p[i], g[i]);
        REAL b = first ? d : fma(rest, d, momentum * buf[i]);
        buf[i] = b;
        p[i] = fma(-lr, nesterov ? fma(momentum, b, d) : b, p[i]);
    }
}
