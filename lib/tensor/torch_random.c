#include "tensor/torch_random.h"

#include <math.h>
#include <string.h>

#include "base/checked.h"

#define CHUNK 1024  /* words drawn at once, on the stack; even */

/* The product is exact in double (24 times 24 bits): one rounding to double, one to float, as in PyTorch. */
void hg_torch_uniform_f32(hg_mt19937 *g, double low, double high, int64_t n, float *out)
{
    float from = (float)low, width = (float)high - from;
    uint32_t words[CHUNK];
    for (int64_t done = 0; done < n; done += CHUNK) {
        int64_t count = hg_min_i64(n - done, CHUNK);
        hg_mt19937_fill32(g, words, (size_t)count);
        for (int64_t i = 0; i < count; i++)
            out[done + i] = (float)((int32_t)(words[i] & 0xffffff) * 0x1p-24 * width + from);
    }
}

/* 53 random bits from two words. */
static inline uint64_t bits53(const uint32_t *words)
{
    return (uint64_t)(words[0] & 0x1fffff) << 32 | words[1];
}

static double uniform_f64(hg_mt19937 *g)
{
    return (double)(hg_mt19937_next64(g) & 0x1fffffffffffff) * 0x1p-53;
}

void hg_torch_rand_f64(hg_mt19937 *g, int64_t n, double *out)
{
    for (int64_t i = 0; i < n; i++) out[i] = uniform_f64(g);
}

void hg_torch_bernoulli_f32(hg_mt19937 *g, double p, int64_t n, float *out)
{
    uint64_t limit = (uint64_t)ceil(p * 0x1p53);    /* bits * 2^-53 < p, in integers */
    uint32_t words[CHUNK];
    for (int64_t done = 0; done < n; done += CHUNK / 2) {
        int64_t count = hg_min_i64(n - done, CHUNK / 2);
        hg_mt19937_fill32(g, words, 2 * (size_t)count);
        for (int64_t i = 0; i < count; i++) out[done + i] = bits53(words + 2 * i) < limit ? 1.0f : 0.0f;
    }
}

int64_t hg_torch_random_i64(hg_mt19937 *g)
{
    return (int64_t)(hg_mt19937_next64(g) & INT64_MAX);
}

void hg_torch_randint(hg_mt19937 *g, int64_t low, int64_t high, int64_t n, int64_t *out)
{
    uint64_t range = (uint64_t)high - (uint64_t)low;
    for (int64_t i = 0; i < n; i++) {
        uint64_t draw = range >> 32 ? hg_mt19937_next64(g) : hg_mt19937_next32(g);
        out[i] = (int64_t)((uint64_t)low + draw % range);
    }
}

void hg_torch_randperm(hg_mt19937 *g, int64_t n, int64_t *out)
{
    for (int64_t i = 0; i < n; i++) out[i] = i;
    for (int64_t i = 0; i < n - 1; i++) {
        int64_t j = i + hg_mt19937_next32(g) % (n - i), t = out[i];
        out[i] = out[j];
        out[j] = t;
    }
}

/* ---- Normal distribution ---- */

static double normal_f64(hg_mt19937 *g)
{
    if (g->has_cached_normal) {
        double value = g->cached_normal;
        g->has_cached_normal = 0;
        g->cached_normal = 0;
        return value;
    }
    double u1 = uniform_f64(g), u2 = uniform_f64(g);
    double radius = sqrt(-2.0 * log1p(-u2)), theta = 2.0 * M_PI * u1;
    g->cached_normal = radius * sin(theta);
    g->has_cached_normal = 1;
    return radius * cos(theta);
}

/* PyTorch's blocks of 16 use the single-precision logarithm, sine and cosine of the Cephes library (S. Moshier) in a
 * vector form, compiled with fused multiply-adds. The last bits depend on which operations are fused; the order below
 * is the one of its x86-64 AVX2 build, on every machine. */
static float cephes_log(float x)
{
    static const float p[] = {7.0376836292e-2f, -1.1514610310e-1f, 1.1676998740e-1f, -1.2420140846e-1f,
        1.4249322787e-1f, -1.6668057665e-1f, 2.0000714765e-1f, -2.4999993993e-1f, 3.3333331174e-1f};
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    float e = (float)((int32_t)(bits >> 23) - 0x7f) + 1.0f;
    bits = (bits & 0x007fffffu) | 0x3f000000u;      /* the fraction in [0.5, 1) */
    memcpy(&x, &bits, sizeof x);
    bool small = x < 0.707106781186547524f;
    float twice = small ? x : 0.0f;
    x = x - 1.0f + twice;
    e -= small ? 1.0f : 0.0f;
    float z = x * x, y = p[0];
    for (int i = 1; i < 9; i++) y = fmaf(y, x, p[i]);
    y = y * x;
    y = fmaf(y, z, e * -2.12194440e-4f);
    y = fmaf(-z, 0.5f, y);
    return fmaf(e, 0.693359375f, x + y);
}

/* x in [0, 2 pi] */
static void cephes_sincos(float x, float *sine, float *cosine)
{
    int octant = ((int)(x * 1.27323954473516f) + 1) & ~1;
    float y = (float)octant;
    x = fmaf(y, -0.78515625f, x);
    x = fmaf(y, -2.4187564849853515625e-4f, x);
    x = fmaf(y, -3.77489497744594108e-8f, x);
    float z = x * x;
    float c = fmaf(fmaf(2.443315711809948e-5f, z, -1.388731625493765e-3f), z, 4.166664568298827e-2f) * z;
    c = fmaf(c, z, -(z * 0.5f)) + 1.0f;
    float s = fmaf(fmaf(-1.9515295891e-4f, z, 8.3321608736e-3f), z, -1.6666654611e-1f) * z;
    s = fmaf(s, x, x);
    bool swap = octant & 2;
    float sign_s = octant & 4 ? -1.0f : 1.0f, sign_c = (octant - 2) & 4 ? 1.0f : -1.0f;
    *sine = sign_s * (swap ? c : s);
    *cosine = sign_c * (swap ? s : c);
}

/* Box-Muller on 16 uniform numbers in place: number j pairs with number j + 8. */
static void normal_block(float *data, float mean, float std)
{
    for (int j = 0; j < 8; j++) {
        float radius = sqrtf(-2.0f * cephes_log(1.0f - data[j])), sine, cosine;
        cephes_sincos((float)(2.0 * M_PI) * data[j + 8], &sine, &cosine);
        data[j] = fmaf(radius * cosine, std, mean);
        data[j + 8] = fmaf(radius * sine, std, mean);
    }
}

void hg_torch_normal_f32(hg_mt19937 *g, double mean, double std, int64_t n, float *out)
{
    if (n < 16) {
        for (int64_t i = 0; i < n; i++) out[i] = (float)(normal_f64(g) * std + mean);
        return;
    }
    hg_torch_uniform_f32(g, 0, 1, n, out);
    for (int64_t i = 0; i + 16 <= n; i += 16) normal_block(out + i, (float)mean, (float)std);
    if (n % 16) {   /* the last 16 are drawn again, over numbers that were finished */
        hg_torch_uniform_f32(g, 0, 1, 16, out + n - 16);
        normal_block(out + n - 16, (float)mean, (float)std);
    }
}

/* ---- State ---- */

/* at::CPUGeneratorImplState of PyTorch */
typedef struct torch_state {
    uint64_t seed;
    int32_t left, seeded;
    uint64_t next, state[HG_MT19937_WORDS];
    double normal_x, normal_y, normal_rho;
    int32_t normal_is_valid, padding1;
    float float_normal;
    uint8_t float_normal_is_valid, padding2[3];
} torch_state;
_Static_assert(sizeof(torch_state) == HG_TORCH_STATE_BYTES, "the layout PyTorch writes");

void hg_torch_save_state(const hg_mt19937 *g, void *out)
{
    torch_state s = {.seed = g->seed, .left = g->left, .seeded = 1, .next = (uint64_t)g->next,
        .normal_y = g->cached_normal, .normal_is_valid = g->has_cached_normal};
    for (int i = 0; i < HG_MT19937_WORDS; i++) s.state[i] = g->state[i];
    memcpy(out, &s, sizeof s);
}

hg_status hg_torch_load_state(hg_mt19937 *g, const void *bytes, size_t size)
{
    torch_state s;
    if (size != sizeof s)
        return hg_error(HG_E_FORMAT, "random state: %zu bytes, a PyTorch CPU generator's state has %d", size,
            HG_TORCH_STATE_BYTES);
    memcpy(&s, bytes, sizeof s);
    bool fresh = s.left == 1 && s.next <= HG_MT19937_WORDS;
    bool inside = s.left > 1 && s.left <= HG_MT19937_WORDS && s.next == (uint64_t)(HG_MT19937_WORDS + 1 - s.left);
    bool words = true;
    for (int i = 0; i < HG_MT19937_WORDS; i++) words = words && s.state[i] <= UINT32_MAX;
    if (s.seeded != 1 || !(fresh || inside) || !words)
        return hg_error(HG_E_FORMAT, "random state: not a PyTorch CPU generator's state; save it again");
    *g = (hg_mt19937){.seed = s.seed, .left = s.left, .next = (int32_t)s.next,
        .cached_normal = s.normal_is_valid ? s.normal_y : 0, .has_cached_normal = s.normal_is_valid != 0};
    for (int i = 0; i < HG_MT19937_WORDS; i++) g->state[i] = (uint32_t)s.state[i];
    return HG_OK;
}
