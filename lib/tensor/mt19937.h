/* Mersenne Twister MT19937 (Matsumoto and Nishimura 1998), as PyTorch's CPU generator steps it. */
#ifndef HG_TENSOR_MT19937_H
#define HG_TENSOR_MT19937_H

#include <stddef.h>
#include <stdint.h>

#define HG_MT19937_WORDS 624

/* Plain data: a copy of it is a second generator at the same place. `left` and `next` mean what they mean in PyTorch,
 * so that a saved state is byte-equal with torch.get_rng_state(). The normal distribution makes numbers in pairs; the
 * second of a pair waits in `cached_normal` and is part of the state. */
typedef struct hg_mt19937 {
    uint64_t seed;
    uint32_t state[HG_MT19937_WORDS];
    int32_t left;               /* 1: the next draw begins with a new block; else left - 1 words remain */
    int32_t next;               /* index of the next word */
    double cached_normal;
    int32_t has_cached_normal;  /* 0 or 1 */
    int32_t reserved;           /* 0: makes the padding explicit, so that equal states have equal bytes */
} hg_mt19937;

/* As torch.manual_seed(seed): the low 32 bits start the twister, a cached normal number is dropped. */
void hg_mt19937_seed(hg_mt19937 *g, uint64_t seed);

uint32_t hg_mt19937_next32(hg_mt19937 *g);
/* Two draws, the first one in the upper half. */
uint64_t hg_mt19937_next64(hg_mt19937 *g);
/* The next n draws of next32, block by block. */
void hg_mt19937_fill32(hg_mt19937 *g, uint32_t *out, size_t n);

#endif
