#include "tensor/random.h"

#include <stdlib.h>
#include <string.h>

#include "cl/transfer.h"
#include "tensor/torch_random.h"

/* The generator of a device. Philox is a seed and the number of blocks used so far. */
typedef struct generator {
    hg_rng_kind kind;
    uint64_t seed, block;
    hg_mt19937 torch;
} generator;

static void *create(hg_device *dev)
{
    (void)dev;
    generator *g = calloc(1, sizeof *g);    /* Philox with seed 0 */
    if (!g) hg_error(HG_E_MEMORY, "random: out of host memory");
    return g;
}

static generator *generator_of(hg_device *dev)
{
    return hg_device_slot(dev, HG_SLOT_RANDOM, create, free);
}

void hg_philox(uint64_t seed, uint64_t block, uint32_t out[4])
{
    uint32_t c[4] = {(uint32_t)block, (uint32_t)(block >> 32), 0, 0};
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)c[0] * 0xD2511F53u, p1 = (uint64_t)c[2] * 0xCD9E8D57u;
        uint32_t next[4] = {(uint32_t)(p1 >> 32) ^ c[1] ^ k0, (uint32_t)p1, (uint32_t)(p0 >> 32) ^ c[3] ^ k1, (uint32_t)p0};
        memcpy(c, next, sizeof c);
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    memcpy(out, c, sizeof c);
}

static uint64_t draw64(generator *g)
{
    if (g->kind == HG_RNG_TORCH) return hg_mt19937_next64(&g->torch);
    uint32_t words[4];
    hg_philox(g->seed, g->block++, words);
    return (uint64_t)words[0] << 32 | words[1];
}

hg_status hg_rng_draw64(hg_device *dev, uint64_t *out)
{
    generator *g = generator_of(dev);
    if (!g) return HG_E_MEMORY;
    *out = draw64(g);
    return HG_OK;
}

hg_status hg_rng_torch_stream(hg_device *dev, hg_mt19937 **stream)
{
    generator *g = generator_of(dev);
    if (!g) return HG_E_MEMORY;
    if (g->kind != HG_RNG_TORCH)
        return hg_error(HG_E_STATE, "random: the device does not draw from PyTorch's stream; call hg_manual_seed(dev, "
                        "seed, HG_RNG_TORCH) first");
    *stream = &g->torch;
    return HG_OK;
}

hg_status hg_manual_seed(hg_device *dev, uint64_t seed, hg_rng_kind kind)
{
    if (!dev) return hg_error(HG_E_ARG, "manual_seed: the device is NULL");
    if (kind != HG_RNG_PHILOX && kind != HG_RNG_TORCH) return hg_error(HG_E_ARG, "manual_seed: unknown kind %d", (int)kind);
    generator *g = generator_of(dev);
    if (!g) return HG_E_MEMORY;
    g->kind = kind;
    g->seed = seed;
    g->block = 0;
    hg_mt19937_seed(&g->torch, seed);
    return HG_OK;
}

/* ---- filling ---- */

static hg_status check_f32(const char *op, hg_tensor *t)
{
    if (!HG_CHECK_OPERANDS(op, t)) return hg_last_status();
    if (t->dtype != HG_F32) return hg_error(HG_E_DTYPE, "%s: float32 only, got %s", op, hg_dtype_name(t->dtype));
    if (!hg_is_contiguous(t)) return hg_error(HG_E_ARG, "%s: the tensor is not contiguous", op);
    return HG_OK;
}

/* Two REAL arguments for one of the f32 kernels; counts the blocks that it uses. */
static hg_status launch_f32(generator *g, const char *kernel, hg_tensor *t, double a, double b)
{
    int64_t blocks = hg_ceil_div(t->numel, 4);
    uint64_t first = g->block;
    g->block += (uint64_t)blocks;
    return hg_launch(t->dev, &hg_source_random, t->numel > INT32_MAX ? "-DHG_WIDE=1" : "", kernel,
                     hg_range_elements(t->dev, blocks),
                     HG_ARGS(HG_ARG_I64(t->numel), HG_ARG_U64(g->seed), HG_ARG_U64(first), HG_ARG_F32(a), HG_ARG_F32(b),
                             HG_ARG_TENSOR(t)));
}

typedef void (*torch_fill)(hg_mt19937 *g, double a, double b, int64_t n, float *out);

static hg_status upload_f32(generator *g, torch_fill fill, hg_tensor *t, double a, double b)
{
    float *values = malloc(sizeof *values * (size_t)t->numel + 1);
    if (!values) return hg_error(HG_E_MEMORY, "random: out of host memory");
    fill(&g->torch, a, b, t->numel, values);
    hg_status status = hg_upload(t->dev, t->storage->mem, (size_t)t->offset * sizeof *values, values,
                                 (size_t)t->numel * sizeof *values);
    free(values);
    return status;
}

hg_status hg_uniform_(hg_tensor *t, double low, double high)
{
    HG_TRY(check_f32("uniform_", t));
    if (!(low <= high)) return hg_error(HG_E_ARG, "uniform_: expects to return a [from, to) range, but found from=%g > to=%g", low, high);
    generator *g = generator_of(t->dev);
    if (!g) return HG_E_MEMORY;
    t->storage->version++;
    if (g->kind == HG_RNG_TORCH) return upload_f32(g, hg_torch_uniform_f32, t, low, high);
    return launch_f32(g, "uniform", t, low, high - low);
}

hg_status hg_normal_(hg_tensor *t, double mean, double std)
{
    HG_TRY(check_f32("normal_", t));
    if (!(std >= 0)) return hg_error(HG_E_ARG, "normal_: expects std >= 0.0, but found std %g", std);
    generator *g = generator_of(t->dev);
    if (!g) return HG_E_MEMORY;
    t->storage->version++;
    if (g->kind == HG_RNG_TORCH) return upload_f32(g, hg_torch_normal_f32, t, mean, std);
    return launch_f32(g, "normal", t, mean, std);
}

hg_tensor *hg_rand(hg_device *dev, hg_shape shape)
{
    hg_tensor *t = hg_empty(dev, HG_F32, shape);
    return hg_ok(t) && hg_uniform_(t, 0, 1) != HG_OK ? hg_failed() : t;
}

hg_tensor *hg_randn(hg_device *dev, hg_shape shape)
{
    hg_tensor *t = hg_empty(dev, HG_F32, shape);
    return hg_ok(t) && hg_normal_(t, 0, 1) != HG_OK ? hg_failed() : t;
}

hg_status hg_rng_bernoulli(hg_tensor *mask, double p)
{
    generator *g = generator_of(mask->dev);
    if (!g) return HG_E_MEMORY;
    int64_t n = mask->numel, blocks = hg_ceil_div(n, 4);
    mask->storage->version++;
    if (g->kind == HG_RNG_PHILOX) {
        uint64_t first = g->block;
        g->block += (uint64_t)blocks;
        return hg_launch(mask->dev, &hg_source_random, n > INT32_MAX ? "-DHG_WIDE=1" : "", "bernoulli",
                         hg_range_elements(mask->dev, blocks),
                         HG_ARGS(HG_ARG_I64(n), HG_ARG_U64(g->seed), HG_ARG_U64(first), HG_ARG_U64(p * 4294967296.0),
                                 HG_ARG_TENSOR(mask)));
    }
    float *draws = malloc(sizeof *draws * (size_t)n + 1);
    if (!draws) return hg_error(HG_E_MEMORY, "bernoulli: out of host memory");
    hg_torch_bernoulli_f32(&g->torch, p, n, draws);
    uint8_t *bytes = (uint8_t *)draws;      /* in place: byte i lies before float i */
    for (int64_t i = 0; i < n; i++) {
        float draw;
        memcpy(&draw, draws + i, sizeof draw);
        bytes[i] = draw != 0;
    }
    hg_status status = hg_upload(mask->dev, mask->storage->mem, (size_t)mask->offset, bytes, (size_t)n);
    free(draws);
    return status;
}

hg_tensor *hg_randint(hg_device *dev, int64_t low, int64_t high, hg_shape shape)
{
    if (low >= high)
        return hg_fail(HG_E_ARG, "randint: random_ expects 'from' to be less than 'to', but got from=%lld >= to=%lld",
                       (long long)low, (long long)high);
    hg_tensor *t = hg_empty(dev, HG_I64, shape);
    generator *g = hg_ok(t) ? generator_of(dev) : NULL;
    if (!g) return hg_failed();
    if (g->kind == HG_RNG_PHILOX) {
        int64_t blocks = hg_ceil_div(t->numel, 2);
        uint64_t first = g->block;
        g->block += (uint64_t)blocks;
        hg_status status = hg_launch(dev, &hg_source_random, t->numel > INT32_MAX ? "-DHG_WIDE=1" : "", "integers",
                                     hg_range_elements(dev, blocks),
                                     HG_ARGS(HG_ARG_I64(t->numel), HG_ARG_U64(g->seed), HG_ARG_U64(first), HG_ARG_I64(low),
                                             HG_ARG_U64((uint64_t)high - (uint64_t)low), HG_ARG_TENSOR(t)));
        return status == HG_OK ? t : hg_failed();
    }
    int64_t *values = malloc(sizeof *values * (size_t)t->numel + 1);
    if (!values) return hg_fail(HG_E_MEMORY, "randint: out of host memory");
    hg_torch_randint(&g->torch, low, high, t->numel, values);
    hg_status status = hg_write(t, values);
    free(values);
    return status == HG_OK ? t : hg_failed();
}

hg_status hg_randperm(hg_device *dev, int64_t n, int64_t *out)
{
    if (!dev || n < 0 || (n && !out)) return hg_error(HG_E_ARG, "randperm: NULL, or n = %lld is negative", (long long)n);
    generator *g = generator_of(dev);
    if (!g) return HG_E_MEMORY;
    if (g->kind == HG_RNG_TORCH) {
        hg_torch_randperm(&g->torch, n, out);
        return HG_OK;
    }
    for (int64_t i = 0; i < n; i++) out[i] = i;
    for (int64_t i = 0; i + 1 < n; i++) {
        int64_t z = i + (int64_t)(draw64(g) % (uint64_t)(n - i)), keep = out[i];
        out[i] = out[z];
        out[z] = keep;
    }
    return HG_OK;
}

/* ---- state: {kind, seed, block} for Philox, kind and PyTorch's own bytes for its stream ---- */

size_t hg_rng_get_state(hg_device *dev, void *out)
{
    generator *g = dev ? generator_of(dev) : NULL;
    if (!g) return 0;
    uint64_t words[3] = {(uint64_t)g->kind, g->seed, g->block};
    if (g->kind == HG_RNG_PHILOX) {
        if (out) memcpy(out, words, sizeof words);
        return sizeof words;
    }
    if (out) {
        memcpy(out, words, sizeof *words);
        hg_torch_save_state(&g->torch, (char *)out + sizeof *words);
    }
    return sizeof *words + HG_TORCH_STATE_BYTES;
}

hg_status hg_rng_set_state(hg_device *dev, const void *state, size_t size)
{
    uint64_t words[3];
    if (!dev || !state) return hg_error(HG_E_ARG, "rng_set_state: NULL");
    generator *g = generator_of(dev);
    if (!g) return HG_E_MEMORY;
    if (size >= sizeof *words) memcpy(words, state, sizeof *words);
    if (size == sizeof words && words[0] == HG_RNG_PHILOX) {
        memcpy(words, state, sizeof words);
        g->kind = HG_RNG_PHILOX;
        g->seed = words[1];
        g->block = words[2];
        return HG_OK;
    }
    if (size == sizeof *words + HG_TORCH_STATE_BYTES && words[0] == HG_RNG_TORCH) {
        HG_TRY(hg_torch_load_state(&g->torch, (const char *)state + sizeof *words, HG_TORCH_STATE_BYTES));
        g->kind = HG_RNG_TORCH;
        return HG_OK;
    }
    return hg_error(HG_E_FORMAT, "rng_set_state: %zu bytes that are no generator's state", size);
}
