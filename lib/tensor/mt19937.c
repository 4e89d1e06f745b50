#include "tensor/mt19937.h"

#define N HG_MT19937_WORDS
#define M 397

void hg_mt19937_seed(hg_mt19937 *g, uint64_t seed)
{
    *g = (hg_mt19937){.seed = seed, .left = 1};
    g->state[0] = (uint32_t)seed;
    for (uint32_t i = 1; i < N; i++)
        g->state[i] = 1812433253u * (g->state[i - 1] ^ (g->state[i - 1] >> 30)) + i;
}

static inline uint32_t twist(uint32_t high, uint32_t low)
{
    return (((high & 0x80000000u) | (low & 0x7fffffffu)) >> 1) ^ (-(low & 1u) & 0x9908b0dfu);
}

/* Loops without a branch or a modulo: compilers make vector code of them. */
static void next_block(hg_mt19937 *g)
{
    uint32_t *s = g->state;
    for (int i = 0; i < N - M; i++) s[i] = s[i + M] ^ twist(s[i], s[i + 1]);
    for (int i = N - M; i < N - 1; i++) s[i] = s[i + M - N] ^ twist(s[i], s[i + 1]);
    s[N - 1] = s[M - 1] ^ twist(s[N - 1], s[0]);
    g->left = N + 1;
    g->next = 0;
}

static inline uint32_t temper(uint32_t y)
{
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680u;
    y ^= (y << 15) & 0xefc60000u;
    return y ^ (y >> 18);
}

uint32_t hg_mt19937_next32(hg_mt19937 *g)
{
    if (g->left == 1) next_block(g);
    g->left--;
    return temper(g->state[g->next++]);
}

uint64_t hg_mt19937_next64(hg_mt19937 *g)
{
    uint64_t high = hg_mt19937_next32(g);
    return high << 32 | hg_mt19937_next32(g);
}

void hg_mt19937_fill32(hg_mt19937 *g, uint32_t *out, size_t n)
{
    while (n) {
        if (g->left == 1) next_block(g);
        size_t count = (size_t)g->left - 1;
        if (count > n) count = n;
        const uint32_t *s = g->state + g->next;
        for (size_t i = 0; i < count; i++) out[i] = temper(s[i]);
        g->left -= (int32_t)count;
        g->next += (int32_t)count;
        out += count;
        n -= count;
    }
}
