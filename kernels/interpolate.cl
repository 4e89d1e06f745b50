/* Resampling planes of h x w to oh x ow, and its gradient, as torch.nn.functional.interpolate does. Along an axis,
 * result o looks at position p(o), with `scale` input elements a result:
 *   BILINEAR 0   floor(o scale)
 *            1   (o + 0.5) scale - 0.5, at least 0, or o scale if `align`; element floor(p) and the next, if there is
 *                one, by what p lies beyond it
 * A work-item owns its share of the results (CPU: of rows of them). Backward, CPU: a work-item owns planes of dx and
 * adds the results' gradients to them. GPU: one owns elements; each tries the few results that may have looked at it,
 * which `inverse`, 1 / scale, bounds, and sums in their order. */
#include "common.clh"

#ifndef BILINEAR
#define BILINEAR 1
#endif

typedef struct axis {
    int size, out, align;
    REAL scale, inverse;
} axis;

static inline axis axis_of(long size, long out, int align, REAL scale, REAL inverse)
{
    axis a = {(int)size, (int)out, align, scale, inverse};
    return a;
}

/* The first element that result o looks at, and the share of the next one. */
static inline int look(axis a, int o, REAL *share)
{
#if BILINEAR
    REAL p = a.align ? a.scale * o : max(a.scale * (o + REAL_(0.5)) - REAL_(0.5), (REAL)0);
#else
    REAL p = floor(o * a.scale);
#endif
    int first = min((int)p, a.size - 1);
    *share = BILINEAR && first < a.size - 1 ? p - first : 0;
    return first;
}

/* The share that element i has in result o. */
static inline REAL share_of(axis a, int o, int i)
{
    REAL next;
    int first = look(a, o, &next);
    return first == i ? 1 - next : first + 1 == i ? next : 0;
}

static inline int bounded(REAL o, axis a)
{
    return (int)clamp(o, (REAL)0, (REAL)(a.out - 1));
}

/* All results with a share of i lie from *first to *last. */
static inline void reach(axis a, int i, int *first, int *last)
{
    REAL shift = BILINEAR && !a.align ? REAL_(0.5) : 0, before = BILINEAR ? i - 1 : i;
    *first = i == 0 || a.inverse == 0 ? 0 : bounded((before + shift) * a.inverse - shift - 2, a);
    *last = i == a.size - 1 || a.inverse == 0 ? a.out - 1 : bounded((i + 1 + shift) * a.inverse - shift + 2, a);
}

/* Result j of row r, of all planes' rows. */
static inline REAL forward(__global const REAL *x, INDEX r, int j, axis v, axis u)
{
    const INDEX plane = r / v.out;
    REAL down, right;
    const int i = look(v, (int)(r - plane * v.out), &down), k = look(u, j, &right);
    __global const REAL *p = x + ((long)plane * v.size + i) * u.size + k;
#if BILINEAR
    const int below = i < v.size - 1 ? u.size : 0, beside = k < u.size - 1;
    return (1 - down) * ((1 - right) * p[0] + right * p[beside]) +
           down * ((1 - right) * p[below] + right * p[below + beside]);
#else
    return *p;
#endif
}

#if HG_CPU
#define EACH(rows, width, out, value)                                                                                  \
    HG_FOR(r, rows)                                                                                                    \
    {                                                                                                                  \
        for (int j = 0; j < (width); j++) (out)[(long)r * (width) + j] = (value);                                      \
    }
#else
#define EACH(rows, width, out, value)                                                                                  \
    HG_FOR(t, (rows) * (width))                                                                                        \
    {                                                                                                                  \
        const INDEX r = t / (width);                                                                                   \
        const int j = (int)(t - r * (width));                                                                          \
        (out)[t] = (value);                                                                                            \
    }
#endif

#define AXES                                                                                                           \
    const axis v = axis_of(h, oh, align, scale_h, inverse_h), u = axis_of(w, ow, align, scale_w, inverse_w)

__kernel void interpolate_fwd(long planes, long h, long w, long oh, long ow, int align, REAL scale_h, REAL inverse_h,
                              REAL scale_w, REAL inverse_w, __global const REAL *restrict x, long xo,
                              __global REAL *restrict y, long yo)
{
    AXES;
    x += xo;
    y += yo;
    EACH(planes * oh, (int)ow, y, forward(x, r, j, v, u))
}

#if HG_CPU
/* dx of one plane: results in their order add their shares to it. */
static inline void plane_bwd(__global const REAL *dy, __global REAL *dx, axis v, axis u)
{
    for (int k = 0; k < v.size * u.size; k++) dx[k] = 0;
    for (int a = 0; a < v.out; a++) {
        REAL down, right;
        const int i = look(v, a, &down), below = i < v.size - 1 ? u.size : 0;
        __global REAL *row = dx + i * u.size;
        for (int b = 0; b < u.out; b++) {
            const int k = look(u, b, &right), beside = k < u.size - 1;
            const REAL g = dy[a * u.out + b];
#if BILINEAR
            row[k] += (1 - down) * (1 - right) * g;
            row[k + beside] += (1 - down) * right * g;
            row[k + below] += down * (1 - right) * g;
            row[k + below + beside] += down * right * g;
#else
            row[k] += g;
#endif
        }
    }
}
#else
static inline REAL backward(__global const REAL *dy, INDEX r, int k, axis v, axis u)
{
    const INDEX plane = r / v.size;
    const int i = (int)(r - plane * v.size);
    int top, bottom, left, right;
    REAL sum = 0;
    reach(v, i, &top, &bottom);
    reach(u, k, &left, &right);
    for (int a = top; a <= bottom; a++) {
        const REAL down = share_of(v, a, i);
        if (down == 0) continue;
        __global const REAL *row = dy + ((long)plane * v.out + a) * u.out;
        for (int b = left; b <= right; b++) {
            const REAL share = down * share_of(u, b, k);
            if (share != 0) sum += share * row[b];
        }
    }
    return sum;
}

#endif

__kernel void interpolate_bwd(long planes, long h, long w, long oh, long ow, int align, REAL scale_h, REAL inverse_h,
                              REAL scale_w, REAL inverse_w, __global const REAL *restrict dy, long gro,
                              __global REAL *restrict dx, long dxo)
{
    AXES;
    dy += gro;
    dx += dxo;
#if HG_CPU
    for (long p = (long)get_group_id(0); p < planes; p += (long)get_num_groups(0))
        plane_bwd(dy + p * oh * ow, dx + p * h * w, v, u);
#else
    EACH(planes * h, (int)w, dx, backward(dy, r, j, v, u))
#endif
}
