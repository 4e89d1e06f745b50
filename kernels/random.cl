/* Random numbers from Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): four
 * 32-bit words from a counter and a key, so that element i has the same number whatever the work-group size.
 * A work-item makes whole blocks of four words (two for integers). Both device classes; f32. */
#include "common.clh"

static inline uint4 philox(ulong seed, ulong block)
{
    uint4 c = (uint4)((uint)block, (uint)(block >> 32), 0, 0);
    uint k0 = (uint)seed, k1 = (uint)(seed >> 32);
    for (int round = 0; round < 10; round++) {
        uint low0 = c.x * 0xD2511F53u, high0 = mul_hi(c.x, 0xD2511F53u);
        uint low1 = c.z * 0xCD9E8D57u, high1 = mul_hi(c.z, 0xCD9E8D57u);
        c = (uint4)(high1 ^ c.y ^ k0, low1, high0 ^ c.w ^ k1, low0);
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return c;
}

/* 24 bits as a float in [0, 1). */
static inline float4 unit(uint4 words)
{
    return convert_float4(words >> 8) * 0x1p-24f;
}

/* Stores the first elements of v that lie before n. */
static inline void store4(float4 v, long i, long n, __global float *y)
{
    y[i] = v.x;
    if (i + 1 < n) y[i + 1] = v.y;
    if (i + 2 < n) y[i + 2] = v.z;
    if (i + 3 < n) y[i + 3] = v.w;
}

__kernel void uniform(long n, ulong seed, ulong block, float low, float range, __global float *restrict y, long yo)
{
    y += yo;
    HG_FOR(b, (n + 3) / 4) store4(low + range * unit(philox(seed, block + b)), 4 * (long)b, n, y);
}

/* Box-Muller: two words make two numbers. */
__kernel void normal(long n, ulong seed, ulong block, float mean, float std, __global float *restrict y, long yo)
{
    y += yo;
    HG_FOR(b, (n + 3) / 4)
    {
        float4 u = unit(philox(seed, block + b));
        float2 radius = sqrt(-2.0f * log(1.0f - u.xy)), angle = 6.28318530717958648f * u.zw;
        float2 c = radius * cos(angle), s = radius * sin(angle);
        store4(mean + std * (float4)(c, s), 4 * (long)b, n, y);
    }
}

/* 1 where the word is below `limit` = p * 2^32. */
__kernel void bernoulli(long n, ulong seed, ulong block, ulong limit, __global uchar *restrict y, long yo)
{
    y += yo;
    HG_FOR(b, (n + 3) / 4)
    {
        uint4 words = philox(seed, block + b);
        long i = 4 * (long)b;
        y[i] = words.x < limit;
        if (i + 1 < n) y[i + 1] = words.y < limit;
        if (i + 2 < n) y[i + 2] = words.z < limit;
        if (i + 3 < n) y[i + 3] = words.w < limit;
    }
}

/* low + (64-bit word mod range) */
__kernel void integers(long n, ulong seed, ulong block, long low, ulong range, __global long *restrict y, long yo)
{
    y += yo;
    HG_FOR(b, (n + 1) / 2)
    {
        uint4 words = philox(seed, block + b);
        long i = 2 * (long)b;
        y[i] = low + (long)(((ulong)words.x << 32 | words.y) % range);
        if (i + 1 < n) y[i + 1] = low + (long)(((ulong)words.z << 32 | words.w) % range);
    }
}
