/* Random numbers on the host, bit for bit those of PyTorch's CPU generator (checked against 1.13 on x86-64 with AVX2,
 * without MKL). Each function draws exactly what its namesake draws, so that the stream stays in step.
 * `n` is the number of elements, 0 draws nothing; `out` holds n of them. */
#ifndef HG_TENSOR_TORCH_RANDOM_H
#define HG_TENSOR_TORCH_RANDOM_H

#include "base/error.h"
#include "tensor/mt19937.h"

/* tensor.uniform_(low, high), float32. With 0 and 1 it is torch.rand(n). */
void hg_torch_uniform_f32(hg_mt19937 *g, double low, double high, int64_t n, float *out);
/* torch.rand(n, dtype=float64) */
void hg_torch_rand_f64(hg_mt19937 *g, int64_t n, double *out);
/* tensor.bernoulli_(p), float32: 1 with probability p, else 0; p in [0, 1]. Two words an element. */
void hg_torch_bernoulli_f32(hg_mt19937 *g, double p, int64_t n, float *out);
/* torch.empty((), dtype=int64).random_(): uniform in [0, 2^63). DataLoader draws its seeds so. */
int64_t hg_torch_random_i64(hg_mt19937 *g);
/* torch.randint(low, high, (n,)), int64 in [low, high); needs low < high. Two words an element if the range
 * holds 2^32 numbers or more. */
void hg_torch_randint(hg_mt19937 *g, int64_t low, int64_t high, int64_t n, int64_t *out);
/* torch.randperm(n): a permutation of 0 .. n - 1. */
void hg_torch_randperm(hg_mt19937 *g, int64_t n, int64_t *out);
/* tensor.normal_(mean, std), float32. With 0 and 1 it is torch.randn(n). Below 16 elements PyTorch computes in double
 * and keeps the second number of a pair for the next call; from 16 on it works on blocks of 16. */
void hg_torch_normal_f32(hg_mt19937 *g, double mean, double std, int64_t n, float *out);

/* The state as torch.get_rng_state() gives it and torch.set_rng_state() takes it, in the host's byte order. */
#define HG_TORCH_STATE_BYTES 5056
void hg_torch_save_state(const hg_mt19937 *g, void *out);
/* HG_E_FORMAT, and `g` as it was, if the bytes are not such a state. */
hg_status hg_torch_load_state(hg_mt19937 *g, const void *bytes, size_t size);

#endif
