/* 2-D average pooling of contiguous planes, and its gradient; the same for adaptive windows, where cell i of OH covers
 * floor(i H / OH) up to ceil((i + 1) H / OH).
 *
 * CPU class: a work-item a plane; backward window after window, so that the order of sums is fixed.
 * GPU class: a work-item an element of the result, PLANE_LANES of them where that is a whole plane's average (local
 *            memory: one REAL a lane); backward each element of dx looks at the windows that cover it. */
#include "common.clh"
#include "pool.clh"

#define PLANE_LANES (HG_LANES < 32 ? HG_LANES : 32)

typedef struct span {
    int begin, end;     /* inside of the plane */
    int size;           /* padding included, if it counts */
} span;

/* Window i of one dimension of `n` elements and `cells` windows. */
static inline span span_of(int i, int n, int cells, int k, int s, int pad, int adaptive, int include)
{
    span r;
    if (adaptive) {
        r.begin = (int)((long)i * n / cells);
        r.end = (int)(((long)(i + 1) * n + cells - 1) / cells);
        r.size = r.end - r.begin;
    } else {
        int begin = i * s - pad, end = min(begin + k, n + pad);
        r.begin = max(begin, 0);
        r.end = min(end, n);
        r.size = include ? end - begin : r.end - r.begin;
    }
    return r;
}
#define ROW_SPAN(i) span_of(i, p.h, p.oh, p.kh, p.sh, p.ph, adaptive, include)
#define COLUMN_SPAN(j) span_of(j, p.w, p.ow, p.kw, p.sw, p.pw, adaptive, include)

static inline REAL divisor_of(span a, span b, int override)
{
    return (REAL)(override ? override : a.size * b.size);
}

static inline REAL average(__global const REAL *restrict x, pool p, span a, span b, int override)
{
    REAL sum = 0;
    for (int h = a.begin; h < a.end; h++) {
#if HG_CPU
        for (int w = b.begin; w < b.end; w++) sum += x[h * p.w + w];
#else
        for (int w = b.begin & ~1; w < b.end; w += 2) {
            HG_CAT_REAL(2) v = pair_of(x + h * p.w, w, p.w, 0);
            if (w >= b.begin) sum += v.x;
            if (w + 1 < b.end) sum += v.y;
        }
#endif
    }
    return sum / divisor_of(a, b, override);
}

#if HG_CPU

__kernel void avg_pool_fwd(long planes, long8 size, long8 more, int adaptive, int include, int override,
                           __global const REAL *restrict x, long xo, __global REAL *restrict y, long yo)
{
    pool p = pool_of(size, more);
    FOR_PLANES(q, planes)
    {
        __global const REAL *xq = x + xo + q * p.h * p.w;
        __global REAL *yq = y + yo + q * p.oh * p.ow;
        for (int i = 0; i < p.oh; i++) {
            span a = ROW_SPAN(i);
            for (int j = 0; j < p.ow; j++) yq[i * p.ow + j] = average(xq, p, a, COLUMN_SPAN(j), override);
        }
    }
}

__kernel void avg_pool_bwd(long planes, long8 size, long8 more, int adaptive, int include, int override,
                           __global const REAL *restrict dy, long gro, __global REAL *restrict dx, long dxo)
{
    pool p = pool_of(size, more);
    FOR_PLANES(q, planes)
    {
        __global const REAL *g = dy + gro + q * p.oh * p.ow;
        __global REAL *out = dx + dxo + q * p.h * p.w;
        for (int k = 0; k < p.h * p.w; k++) out[k] = 0;
        for (int i = 0; i < p.oh; i++) {
            span a = ROW_SPAN(i);
            for (int j = 0; j < p.ow; j++) {
                span b = COLUMN_SPAN(j);
                REAL d = g[i * p.ow + j] / divisor_of(a, b, override);
                for (int h = a.begin; h < a.end; h++)
                    for (int w = b.begin; w < b.end; w++) out[h * p.w + w] += d;
            }
        }
    }
}

#else

__kernel void avg_pool_fwd(long planes, long8 size, long8 more, int adaptive, int include, int override,
                           __global const REAL *restrict x, long xo, __global REAL *restrict y, long yo)
{
    pool p = pool_of(size, more);
    HG_FOR(o, planes * p.oh * p.ow)
    {
        int j = (int)(o % p.ow), i = (int)(o / p.ow % p.oh);
        long q = o / p.ow / p.oh;
        y[yo + o] = average(x + xo + q * p.h * p.w, p, ROW_SPAN(i), COLUMN_SPAN(j), override);
    }
}

/* One window that covers the plane, n elements: PLANE_LANES lanes add up a plane together, in a tree. */
__kernel void avg_pool_planes(long planes, long n, REAL divisor, __global const REAL *restrict x, long xo,
                              __global REAL *restrict y, long yo)
{
    __local REAL scratch[HG_LANES];
    int lane = (int)get_local_id(0), own = lane % PLANE_LANES;
    long q = (long)get_group_id(0) * (HG_LANES / PLANE_LANES) + lane / PLANE_LANES;
    REAL sum = 0;
    for (long k = own; k < n && q < planes; k += PLANE_LANES) sum += x[xo + q * n + k];
    scratch[lane] = sum;
    for (int half_ = PLANE_LANES / 2; half_ > 0; half_ /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        REAL other = own < half_ ? scratch[lane + half_] : 0;
        barrier(CLK_LOCAL_MEM_FENCE);
        if (own < half_) scratch[lane] += other;
    }
    if (own == 0 && q < planes) y[yo + q] = scratch[lane] / divisor;
}

__kernel void avg_pool_bwd(long planes, long8 size, long8 more, int adaptive, int include, int override,
                           __global const REAL *restrict dy, long gro, __global REAL *restrict dx, long dxo)
{
    pool p = pool_of(size, more);
    HG_FOR(e, planes * p.h * p.w)
    {
        int w = (int)(e % p.w), h = (int)(e / p.w % p.h);
        long base = (long)(e / p.w / p.h) * p.oh * p.ow;
        int i0, i1, j0, j1;     /* the windows that cover it */
        if (adaptive) {
            i0 = (int)((long)h * p.oh / p.h);
            i1 = (int)(((long)(h + 1) * p.oh - 1) / p.h);
            j0 = (int)((long)w * p.ow / p.w);
            j1 = (int)(((long)(w + 1) * p.ow - 1) / p.w);
        } else {
            i0 = ceil_div(max(0, h + p.ph - p.kh + 1), p.sh);
            i1 = min(p.oh - 1, (h + p.ph) / p.sh);
            j0 = ceil_div(max(0, w + p.pw - p.kw + 1), p.sw);
            j1 = min(p.ow - 1, (w + p.pw) / p.sw);
        }
        REAL sum = 0;
        for (int i = i0; i <= i1; i++) {
            span a = ROW_SPAN(i);
            for (int j = j0; j <= j1; j++)
                sum += dy[gro + base + i * p.ow + j] / divisor_of(a, COLUMN_SPAN(j), override);
        }
        dx[dxo + e] = sum;
    }
}

#endif
