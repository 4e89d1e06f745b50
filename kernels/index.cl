/* Elements by index, along the middle of a contiguous x[outer][length][inner]. T is the type of the elements; an index
 * is index[k] for all lines if `shared`, else index[outer][count][inner] with one for each result. Both device classes.
 *
 * index_check   a team looks for an index out of range and tells the device's fault word. Local memory: a long a lane.
 * take_fwd      y[o][k][i] = x[o][index][i], 0 where the index is out of range: a work-item owns its share of results
 * take_bwd      dx[o][p][i] = the sum of dy[o][k][i] over index == p, in the order of k. CPU: a work-item owns STRIP
 *               neighbouring lines and adds to them. GPU: one owns an element; `sorted` has the indices of a line in
 *               order and `order` the k they came from, [lines][count], the first of p is found by bisection.
 * put           y[o][index][i] = dy[o][k][i], for indices that differ from one another */
#include "line.clh"

#define STRIP 64

__kernel void index_check(long n, long limit, __global const long *restrict index, long io,
                          __global int *restrict fault)
{
    index += io;
    int lane = (int)get_local_id(0);
    long found = n;
    for (long i = lane; i < n && found == n; i += HG_LANES)
        if (index[i] < 0 || index[i] >= limit) found = i;
#if HG_LANES > 1
    __local long first[HG_LANES];
    first[lane] = found;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int half_ = HG_LANES / 2; half_ > 0; half_ /= 2) {
        if (lane < half_) first[lane] = min(first[lane], first[lane + half_]);
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    found = first[0];
#endif
    if (lane == 0 && found < n && fault[0] == 0) {
        fault[1] = (int)clamp(index[found], (long)INT_MIN, (long)INT_MAX);
        fault[2] = (int)min(limit, (long)INT_MAX);
        fault[3] = (int)min(found, (long)INT_MAX);
        fault[0] = 2;
    }
}

__kernel void take_fwd(long outer, long length, long inner, long count, int shared, __global const T *restrict x,
                       long xo, __global const long *restrict index, long io, __global T *restrict y, long yo)
{
    x += xo;
    index += io;
    y += yo;
    LINE_FOR(count, {
        const long p = index[shared ? k : t];
        y[t] = p >= 0 && p < length ? x[((long)o * length + p) * inner + i] : (T)0;
    })
}

#if !T_INT
#if HG_CPU
__kernel void take_bwd(long outer, long length, long inner, long count, int shared, __global const long *restrict index,
                       long io, __global const T *restrict dy, long gro, __global T *restrict dx, long dxo)
{
    const long blocks = (inner + STRIP - 1) / STRIP;
    index += io;
    dy += gro;
    dx += dxo;
    for (long t = (long)get_group_id(0); t < outer * blocks; t += (long)get_num_groups(0)) {
        const long o = t / blocks, begin = (t - o * blocks) * STRIP, end = min(inner, begin + STRIP);
        for (long k = 0; k < length; k++)
            for (long i = begin; i < end; i++) dx[(o * length + k) * inner + i] = 0;
        for (long k = 0; k < count; k++)
            for (long i = begin; i < end; i++) {
                const long p = index[shared ? k : (o * count + k) * inner + i];
                if (p >= 0 && p < length) dx[(o * length + p) * inner + i] += dy[(o * count + k) * inner + i];
            }
    }
}
#else
__kernel void take_bwd(long outer, long length, long inner, long count, int shared,
                       __global const long *restrict sorted, long so, __global const long *restrict order, long oo,
                       __global const T *restrict dy, long gro, __global T *restrict dx, long dxo)
{
    dy += gro;
    dx += dxo;
    LINE_FOR(length, {
        const long line = shared ? 0 : (long)o * inner + i;
        __global const long *p = sorted + so + line * count;
        __global const long *from = order + oo + line * count;
        long low = 0;
        long high = count;
        while (low < high) {
            const long middle = (low + high) / 2;
            if (p[middle] < k)
                low = middle + 1;
            else
                high = middle;
        }
        T sum = 0;
        for (; low < count && p[low] == k; low++) sum += dy[((long)o * count + from[low]) * inner + i];
        dx[t] = sum;
    })
}
#endif
#endif

__kernel void put(long outer, long length, long inner, long count, __global const long *restrict index, long io,
                  __global const T *restrict dy, long gro, __global T *restrict y, long yo)
{
    index += io;
    dy += gro;
    y += yo;
    LINE_FOR(count, y[((long)o * length + index[t]) * inner + i] = dy[t])
}
