/* What a device can do at most. Not part of the library.
 *
 * peak_fma: 12 independent chains of fma(x, b, c) a work-item, on vectors of WIDTH: enough to hide the latency of two
 * fma units of four cycles. One work-item a group with WIDTH 16 is the shape of CPU kernels, groups of many with WIDTH
 * 1 or 4 that of GPU kernels. Registers: 12 vectors.
 * peak_copy: a = b; peak_triad: a = b + s c; a work-item handles `each` vectors of 16, one after the other on a CPU and
 * a global size apart on a GPU. */
#ifndef WIDTH
#define WIDTH 4
#endif
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#if WIDTH == 1
#define VECTOR float
#define FIRST(v) (v)
#else
#define VECTOR JOIN(float, WIDTH)
#define FIRST(v) ((v).s0 + (v).s1)
#endif

__kernel void peak_fma(__global float *out, int loops, float b, float c)
{
    VECTOR x0 = (VECTOR)(float)get_global_id(0), x1 = x0 + 1.0f, x2 = x0 + 2.0f, x3 = x0 + 3.0f, x4 = x0 + 4.0f,
           x5 = x0 + 5.0f, x6 = x0 + 6.0f, x7 = x0 + 7.0f, x8 = x0 + 8.0f, x9 = x0 + 9.0f, x10 = x0 + 10.0f,
           x11 = x0 + 11.0f;
    VECTOR vb = (VECTOR)(b), vc = (VECTOR)(c);
    for (int i = 0; i < loops; i++) {
        x0 = fma(x0, vb, vc);
        x1 = fma(x1, vb, vc);
        x2 = fma(x2, vb, vc);
        x3 = fma(x3, vb, vc);
        x4 = fma(x4, vb, vc);
        x5 = fma(x5, vb, vc);
        x6 = fma(x6, vb, vc);
        x7 = fma(x7, vb, vc);
        x8 = fma(x8, vb, vc);
        x9 = fma(x9, vb, vc);
        x10 = fma(x10, vb, vc);
        x11 = fma(x11, vb, vc);
    }
    VECTOR sum = ((x0 + x1) + (x2 + x3)) + ((x4 + x5) + (x6 + x7)) + ((x8 + x9) + (x10 + x11));
    out[get_global_id(0)] = FIRST(sum);
}

#ifdef APART
#define AT(i) (get_global_id(0) + (size_t)(i) * get_global_size(0))
#else
#define AT(i) (get_global_id(0) * (size_t)each + (size_t)(i))
#endif

__kernel void peak_copy(__global float16 *a, __global const float16 *b, int each)
{
    for (int i = 0; i < each; i++) a[AT(i)] = b[AT(i)];
}

__kernel void peak_triad(__global float16 *a, __global const float16 *b, __global const float16 *c, float s, int each)
{
    for (int i = 0; i < each; i++) a[AT(i)] = fma((float16)(s), c[AT(i)], b[AT(i)]);
}
