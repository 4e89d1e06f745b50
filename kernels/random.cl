/* Random numbers from Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): four
 * 32-bit words from a counter and a key, so that element i has the same number whatever the work-group size.
 * A work-item makes whole blocks of four words (two for integers); on CPUs sixteen blocks at once, but for integers. f32. */
#include "common.clh"

/* Words x, y, z, w of the block whose counter is x + 2^32 y, or of as many blocks as the vector type has lanes. */
#define PHILOX(type, x, y, z, w, seed)                                                                                 \
    do {                                                                                                               \
        uint k0_ = (uint)(seed), k1_ = (uint)((seed) >> 32);                                                           \
        for (int round_ = 0; round_ < 10; round_++) {                                                                  \
            type high0_ = mul_hi(x, (type)(0xD2511F53u)), high1_ = mul_hi(z, (type)(0xCD9E8D57u)), low0_ = x * 0xD2511F53u; \
            x = high1_ ^ y ^ k0_;                                                                                      \
            y = z * 0xCD9E8D57u;                                                                                       \
            z = high0_ ^ w ^ k1_;                                                                                      \
            w = low0_;                                                                                                 \
            k0_ += 0x9E3779B9u;                                                                                        \
            k1_ += 0xBB67AE85u;                                                                                        \
        }                                                                                                              \
    } while (0)

static inline uint4 philox(ulong seed, ulong block)
{
    uint x = (uint)block, y = (uint)(block >> 32), z = 0, w = 0;
    PHILOX(uint, x, y, z, w, seed);
    return (uint4)(x, y, z, w);
}

#if HG_CPU
/* Element k of 16 blocks' first, second, third and fourth numbers go side by side: 64 elements, or those before n. */
static inline void store_blocks(float16 a, float16 b, float16 c, float16 d, long i, long n, __global float *y)
{
    float v[4][16];
    vstore16(a, 0, v[0]);
    vstore16(b, 0, v[1]);
    vstore16(c, 0, v[2]);
    vstore16(d, 0, v[3]);
    if (i + 64 <= n)
        for (int k = 0; k < 16; k++) vstore4((float4)(v[0][k], v[1][k], v[2][k], v[3][k]), k, y + i);
    else
        for (int k = 0; i + k < n; k++) y[i + k] = v[k % 4][k / 4];
}

/* Words of the 16 blocks from `first` on, as floats in [0, 1). */
#define UNIT_BLOCKS(seed, first, a, b, c, d)                                                                           \
    float16 a, b, c, d;                                                                                                \
    do {                                                                                                               \
        uint16 x_ = (uint)(first) + (uint16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);                    \
        uint16 y_ = (uint)((first) >> 32) + (as_uint16(x_ < (uint)(first)) & 1), z_ = 0, w_ = 0;                       \
        PHILOX(uint16, x_, y_, z_, w_, seed);                                                                          \
        a = convert_float16(x_ >> 8) * 0x1p-24f;                                                                       \
        b = convert_float16(y_ >> 8) * 0x1p-24f;                                                                       \
        c = convert_float16(z_ >> 8) * 0x1p-24f;                                                                       \
        d = convert_float16(w_ >> 8) * 0x1p-24f;                                                                       \
    } while (0)
#else
/* Stores the first elements of v that lie before n. */
static inline void store4(float4 v, long i, long n, __global float *y)
{
    if (i + 3 < n) {
        vstore4(v, 0, y + i);
        return;
    }
    y[i] = v.x;
    if (i + 1 < n) y[i + 1] = v.y;
    if (i + 2 < n) y[i + 2] = v.z;
}

/* 24 bits as a float in [0, 1). */
static inline float4 unit(uint4 words)
{
    return convert_float4(words >> 8) * 0x1p-24f;
}
#endif

__kernel void uniform(long n, ulong seed, ulong block, float low, float range, __global float *restrict y, long yo)
{
    y += yo;
#if HG_CPU
    HG_FOR(q, (n + 63) / 64)
    {
        UNIT_BLOCKS(seed, block + 16 * (ulong)q, a, b, c, d);
        store_blocks(low + range * a, low + range * b, low + range * c, low + range * d, 64 * (long)q, n, y);
    }
#else
    HG_FOR(b, (n + 3) / 4) store4(low + range * unit(philox(seed, block + b)), 4 * (long)b, n, y);
#endif
}

/* Box-Muller: two words make two numbers. */
__kernel void normal(long n, ulong seed, ulong block, float mean, float std, __global float *restrict y, long yo)
{
    y += yo;
#if HG_CPU
    HG_FOR(q, (n + 63) / 64)
    {
        UNIT_BLOCKS(seed, block + 16 * (ulong)q, a, b, c, d);
        a = std * sqrt(-2.0f * log(1.0f - a));
        b = std * sqrt(-2.0f * log(1.0f - b));
        c *= 6.28318530717958648f;
        d *= 6.28318530717958648f;
        store_blocks(mean + a * cos(c), mean + b * cos(d), mean + a * sin(c), mean + b * sin(d), 64 * (long)q, n, y);
    }
#else
    HG_FOR(b, (n + 3) / 4)
    {
        float4 u = unit(philox(seed, block + b));
        float2 radius = sqrt(-2.0f * log(1.0f - u.xy)), angle = 6.28318530717958648f * u.zw;
        float2 c = radius * cos(angle), s = radius * sin(angle);
        store4(mean + std * (float4)(c, s), 4 * (long)b, n, y);
    }
#endif
}

/* 1 where the word is below `limit` = p * 2^32. */
static inline void bernoulli_block(ulong seed, ulong block, ulong limit, long i, long n, __global uchar *restrict y)
{
    uint4 words = philox(seed, block);
    if (i + 3 < n) {
        vstore4((uchar4)(words.x < limit, words.y < limit, words.z < limit, words.w < limit), 0, y + i);
        return;
    }
    y[i] = words.x < limit;
    if (i + 1 < n) y[i + 1] = words.y < limit;
    if (i + 2 < n) y[i + 2] = words.z < limit;
}

#if HG_CPU
/* Bits of 16 blocks whose counters differ in their low words alone, as bytes of one word a block. */
static inline uint16 bernoulli_blocks(ulong seed, ulong block, ulong limit)
{
    uint16 x = (uint)block + (uint16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15), y = (uint)(block >> 32),
           z = 0, w = 0, all = limit >> 32 ? (uint16)(1) : (uint16)(0), most = (uint)limit;
    PHILOX(uint16, x, y, z, w, seed);
    x = all | (as_uint16(x < most) & 1);
    y = all | (as_uint16(y < most) & 1);
    z = all | (as_uint16(z < most) & 1);
    w = all | (as_uint16(w < most) & 1);
    return x | y << 8 | z << 16 | w << 24;
}
#endif

__kernel void bernoulli(long n, ulong seed, ulong block, ulong limit, __global uchar *restrict y, long yo)
{
    y += yo;
#if HG_CPU && defined(__ENDIAN_LITTLE__)
    HG_FOR(q, (n + 63) / 64)
    {
        ulong first = block + 16 * (ulong)q;
        long i = 64 * (long)q, end = min(n, i + 64);
        if (end == i + 64 && (uint)first <= 0xFFFFFFF0u) {
            uint bits[16];
            vstore16(bernoulli_blocks(seed, first, limit), 0, bits);
            for (int k = 0; k < 16; k++) vstore4(as_uchar4(bits[k]), k, y + i);
        } else {
            for (; i < end; i += 4, first++) bernoulli_block(seed, first, limit, i, n, y);
        }
    }
#else
    HG_FOR(b, (n + 3) / 4) bernoulli_block(seed, block + b, limit, 4 * (long)b, n, y);
#endif
}

/* low + (64-bit word mod range) */
__kernel void integers(long n, ulong seed, ulong block, long low, ulong range, __global long *restrict y, long yo)
{
    y += yo;
    HG_FOR(b, (n + 1) / 2)
    {
        uint4 words = philox(seed, block + b);
        long i = 2 * (long)b;
        long2 v = low + (long2)((long)(((ulong)words.x << 32 | words.y) % range),
                                (long)(((ulong)words.z << 32 | words.w) % range));
        if (i + 1 < n) vstore2(v, 0, y + i);
        else y[i] = v.x;
    }
}
