#include "data/transform.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/repr.h"

int64_t hg_item_elements(const hg_item_spec *item)
{
    int64_t n = 1;
    for (int i = 0; i < item->shape.ndim; i++) n *= item->shape.size[i];
    return n;
}

size_t hg_item_bytes(const hg_item_spec *item)
{
    return (size_t)hg_item_elements(item) * (item->dtype == HG_F32 ? sizeof(float) : 1);
}

void *hg_transform_alloc(const hg_transform_type *type, size_t size)
{
    hg_transform *t = calloc(1, size);
    if (!t) {
        hg_error(HG_E_MEMORY, "transform: out of memory");
        return NULL;
    }
    t->type = type;
    atomic_init(&t->refs, 1);
    return t;
}

hg_transform *hg_transform_retain(const hg_transform *t)
{
    hg_transform *counted = (hg_transform *)t;      /* the count is not part of its value */
    if (counted) atomic_fetch_add(&counted->refs, 1);
    return counted;
}

void hg_transform_free(hg_transform *t)
{
    if (!t || atomic_fetch_sub(&t->refs, 1) != 1) return;
    if (t->type->destroy) t->type->destroy(t);
    free(t);
}

char *hg_transform_to_text(const hg_transform *t)
{
    hg_str text = {0};
    if (t)
        t->type->print(t, &text);
    else
        hg_str_add(&text, "None");
    char *taken = hg_str_take(&text);
    if (!taken) hg_error(HG_E_MEMORY, "transform: out of memory");
    return taken;
}

/* ---- ToTensor: y[c][h][w] = x[h][w][c] / 255 for u8 ----------------------------------------------------------- */

static hg_status to_tensor_shape(const hg_transform *t, hg_item_spec *item)
{
    (void)t;
    hg_shape s = item->shape;
    if (s.ndim != 2 && s.ndim != 3)
        return hg_error(HG_E_SHAPE, "to_tensor: pic should be 2/3 dimensional. Got %d dimensions.", s.ndim);
    *item = (hg_item_spec){HG_F32, HG_SHAPE(s.ndim == 3 ? s.size[2] : 1, s.size[0], s.size[1])};
    return HG_OK;
}

static hg_status to_tensor_apply(const hg_transform *t, const hg_item_spec *item, const void *in, void *out,
                                 hg_mt19937 *random)
{
    (void)t, (void)random;
    int64_t pixels = item->shape.size[0] * item->shape.size[1];
    int64_t channels = item->shape.ndim == 3 ? item->shape.size[2] : 1;
    const uint8_t *bytes = in;
    const float *floats = in;
    float *y = out;
    for (int64_t c = 0; c < channels; c++) {
        for (int64_t i = 0; i < pixels; i++, y++)
            *y = item->dtype == HG_U8 ? (float)bytes[i * channels + c] / 255.0f : floats[i * channels + c];
    }
    return HG_OK;
}

static void to_tensor_print(const hg_transform *t, hg_str *text)
{
    (void)t;
    hg_str_add(text, "ToTensor()");
}

hg_transform *hg_to_tensor(void)
{
    static const hg_transform_type type = {to_tensor_shape, to_tensor_apply, to_tensor_print, NULL, HG_STEP_TO_TENSOR};
    return hg_transform_alloc(&type, sizeof(hg_transform));
}

/* ---- Normalize: y = (x - mean[c]) / std[c] -------------------------------------------------------------------- */

typedef struct normalize {
    hg_transform base;
    int channels;
    double *mean, *std;     /* one allocation, mean first; computed with as f32, printed as given */
} normalize;

static hg_status normalize_shape(const hg_transform *t, hg_item_spec *item)
{
    int channels = ((const normalize *)t)->channels;
    if (item->dtype != HG_F32)
        return hg_error(HG_E_DTYPE, "normalize: input should be float32, got uint8; put hg_to_tensor() before it");
    if (item->shape.ndim < 3)
        return hg_error(HG_E_SHAPE, "normalize: input should be C x H x W, got %d dimensions", item->shape.ndim);
    int64_t have = item->shape.size[0];
    if (channels != 1 && have != channels)
        return hg_error(HG_E_SHAPE, "normalize: mean and std for %d channels, input has %lld", channels,
                        (long long)have);
    return HG_OK;
}

static hg_status normalize_apply(const hg_transform *t, const hg_item_spec *item, const void *in, void *out,
                                 hg_mt19937 *random)
{
    (void)random;
    const normalize *n = (const normalize *)t;
    int64_t channels = item->shape.size[0], plane = hg_item_elements(item) / channels;
    const float *x = in;
    float *y = out;
    for (int64_t c = 0; c < channels; c++) {
        float mean = (float)n->mean[n->channels == 1 ? 0 : c], std = (float)n->std[n->channels == 1 ? 0 : c];
        for (int64_t i = 0; i < plane; i++) *y++ = (*x++ - mean) / std;
    }
    return HG_OK;
}

static void print_doubles(hg_str *text, const char *name, const double *values, int n)
{
    hg_str_add(text, "%s=[", name);
    for (int i = 0; i < n; i++) {
        char number[HG_REPR_SIZE];
        hg_repr_double(values[i], number);
        hg_str_add(text, "%s%s", i ? ", " : "", number);
    }
    hg_str_add(text, "]");
}

static void normalize_print(const hg_transform *t, hg_str *text)
{
    const normalize *n = (const normalize *)t;
    hg_str_add(text, "Normalize(");
    print_doubles(text, "mean", n->mean, n->channels);
    print_doubles(text, ", std", n->std, n->channels);
    hg_str_add(text, ")");
}

static void normalize_destroy(hg_transform *t)
{
    free(((normalize *)t)->mean);
}

hg_transform *hg_normalize(const double *mean, const double *std, int channels)
{
    static const hg_transform_type type = {normalize_shape, normalize_apply, normalize_print, normalize_destroy,
                                           HG_STEP_NORMALIZE};
    if (channels < 1 || channels > 1 << 20) {
        hg_error(HG_E_ARG, "normalize: mean and std for %d channels; at least one is needed", channels);
        return NULL;
    }
    for (int i = 0; i < channels; i++) {
        if ((float)std[i] == 0 || !isfinite((float)std[i]) || !isfinite((float)mean[i])) {
            hg_error(HG_E_ARG, "normalize: mean %g and std %g of channel %d: std must not be 0, both must be finite in "
                     "float32", mean[i], std[i], i);
            return NULL;
        }
    }
    normalize *n = hg_transform_alloc(&type, sizeof *n);
    if (!n) return NULL;
    size_t bytes = (size_t)channels * sizeof(double);
    n->mean = malloc(2 * bytes);
    if (!n->mean) {
        hg_error(HG_E_MEMORY, "normalize: out of memory");
        hg_transform_free(&n->base);
        return NULL;
    }
    n->channels = channels;
    n->std = n->mean + channels;
    memcpy(n->mean, mean, bytes);
    memcpy(n->std, std, bytes);
    return &n->base;
}

/* ---- Compose -------------------------------------------------------------------------------------------------- */

typedef struct compose {
    hg_transform base;
    int count;
    hg_transform **list;
} compose;

static hg_status compose_shape(const hg_transform *t, hg_item_spec *item)
{
    const compose *c = (const compose *)t;
    for (int i = 0; i < c->count; i++) HG_TRY(c->list[i]->type->shape(c->list[i], item));
    return HG_OK;
}

/* The steps go back and forth between two halves of one scratch, the last one writes to `out`. */
static hg_status compose_apply(const hg_transform *t, const hg_item_spec *item, const void *in, void *out,
                               hg_mt19937 *random)
{
    const compose *c = (const compose *)t;
    if (!c->count) {
        memcpy(out, in, hg_item_bytes(item));
        return HG_OK;
    }
    hg_item_spec now = *item, after = *item;
    size_t largest = 0;
    for (int i = 0; i + 1 < c->count; i++) {
        HG_TRY(c->list[i]->type->shape(c->list[i], &after));
        if (hg_item_bytes(&after) > largest) largest = hg_item_bytes(&after);
    }
    char *scratch = largest ? malloc(2 * largest) : NULL;
    if (largest && !scratch) return hg_error(HG_E_MEMORY, "compose: out of memory");
    hg_status status = HG_OK;
    for (int i = 0; i < c->count && status == HG_OK; i++) {
        const hg_transform *step = c->list[i];
        void *to = i + 1 == c->count ? out : scratch + (i % 2 ? largest : 0);
        status = step->type->apply(step, &now, in, to, step->random ? random : NULL);
        if (status == HG_OK) status = step->type->shape(step, &now);
        in = to;
    }
    free(scratch);
    return status;
}

/* As torchvision: a transform that prints several lines is not indented again. */
static void compose_print(const hg_transform *t, hg_str *text)
{
    const compose *c = (const compose *)t;
    hg_str_add(text, "Compose(");
    for (int i = 0; i < c->count; i++) {
        hg_str_add(text, "\n    ");
        c->list[i]->type->print(c->list[i], text);
    }
    hg_str_add(text, "\n)");
}

static void compose_destroy(hg_transform *t)
{
    compose *c = (compose *)t;
    for (int i = 0; i < c->count; i++) hg_transform_free(c->list[i]);
    free(c->list);
}

bool hg_compose_steps(const hg_transform *t, hg_transform *const **list, int *count)
{
    if (t->type->step != HG_STEP_LIST) return false;
    *list = ((const compose *)t)->list;
    *count = ((const compose *)t)->count;
    return true;
}

hg_transform *hg_compose(hg_transform **list, int count)
{
    static const hg_transform_type type = {compose_shape, compose_apply, compose_print, compose_destroy, HG_STEP_LIST};
    bool whole = true;
    for (int i = 0; i < count; i++) whole = whole && list[i];
    if (count < 0) hg_error(HG_E_ARG, "compose: %d transforms", count);
    if (!whole) hg_error(HG_E_ARG, "compose: a transform is NULL");
    compose *c = whole && count >= 0 ? hg_transform_alloc(&type, sizeof *c) : NULL;
    if (c && count) {
        c->list = malloc((size_t)count * sizeof *c->list);
        if (c->list) {
            memcpy(c->list, list, (size_t)count * sizeof *c->list);
            c->count = count;
            for (int i = 0; i < count; i++) c->base.random = c->base.random || list[i]->random;
            return &c->base;
        }
        hg_error(HG_E_MEMORY, "compose: out of memory");
        hg_transform_free(&c->base);
        c = NULL;
    }
    if (c) return &c->base;
    for (int i = 0; i < count; i++) hg_transform_free(list[i]);
    return NULL;
}
