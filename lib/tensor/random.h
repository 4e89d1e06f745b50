/* The device's generator: Philox on the device, or PyTorch's CPU stream on the host. */
#ifndef HG_TENSOR_RANDOM_H
#define HG_TENSOR_RANDOM_H

#include "tensor/tensor.h"

/* 1 with probability p, else 0, in element order, into a contiguous u8 or bool tensor. */
hg_status hg_rng_bernoulli(hg_tensor *mask, double p);

/* One 64-bit draw on the host, for seeds (PyTorch: random64). HG_E_MEMORY on first use at worst. */
hg_status hg_rng_draw64(hg_device *dev, uint64_t *out);

/* PyTorch's stream of the device, as hg_manual_seed(dev, seed, HG_RNG_TORCH) began it; what draws from it moves it on.
 * HG_E_STATE if the device's generator is another one. */
struct hg_mt19937;
hg_status hg_rng_torch_stream(hg_device *dev, struct hg_mt19937 **stream);

/* One block of Philox4x32-10 (Salmon et al. 2011): the counter is {block, 0}, the key the seed, low words first. */
void hg_philox(uint64_t seed, uint64_t block, uint32_t out[4]);

#endif
