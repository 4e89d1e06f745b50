#include "conv/problem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/error.h"

static const char *const directions[] = {"fwd", "bwd-data", "bwd-weights"};

/* ---- sizes ---- */

int64_t hg_conv_output(const hg_conv_problem *p, int d)
{
    int64_t room = p->size[d] + p->begin[d] + p->end[d] - p->dilation[d] * (p->kernel[d] - 1) - 1;
    return room < 0 ? 0 : room / p->stride[d] + 1;
}

hg_conv_problem hg_conv_as_forward(const hg_conv_problem *p)
{
    hg_conv_problem f = *p;
    if (p->direction != HG_CONV_BACKWARD_DATA) return f;
    f.direction = HG_CONV_FORWARD;
    f.channels = p->outputs;
    f.outputs = p->channels;
    for (int d = 0; d < p->rank; d++) {
        int64_t reach = p->dilation[d] * (p->kernel[d] - 1);
        f.size[d] = hg_conv_output(p, d);
        f.begin[d] = reach - p->begin[d];
        f.end[d] = reach - p->end[d];
    }
    return f;
}

int64_t hg_conv_input_area(const hg_conv_problem *p)
{
    int64_t n = 1;
    for (int d = 0; d < p->rank; d++) n *= p->size[d];
    return n;
}

int64_t hg_conv_output_area(const hg_conv_problem *p)
{
    int64_t n = 1;
    for (int d = 0; d < p->rank; d++) n *= hg_conv_output(p, d);
    return n;
}

int64_t hg_conv_kernel_area(const hg_conv_problem *p)
{
    int64_t n = 1;
    for (int d = 0; d < p->rank; d++) n *= p->kernel[d];
    return n;
}

int64_t hg_conv_input_numel(const hg_conv_problem *p)
{
    return p->batch * p->channels * hg_conv_input_area(p);
}

int64_t hg_conv_output_numel(const hg_conv_problem *p)
{
    return p->batch * p->outputs * hg_conv_output_area(p);
}

int64_t hg_conv_weight_numel(const hg_conv_problem *p)
{
    return p->outputs * (p->channels / p->groups) * hg_conv_kernel_area(p);
}

double hg_conv_flops(const hg_conv_problem *p)
{
    return 2.0 * (double)hg_conv_output_numel(p) * (double)(p->channels / p->groups) * (double)hg_conv_kernel_area(p);
}

/* ---- checks ---- */

/* Whether the product of `n` sizes is an element count that nothing overflows with. */
static bool countable(int64_t first, int64_t second, const int64_t *size, int n)
{
    int64_t count;
    bool ok = hg_mul_i64(first, second, &count);
    for (int d = 0; ok && d < n; d++) ok = hg_mul_i64(count, size[d], &count);
    return ok && count <= (INT64_C(1) << 58);
}

static hg_status check_dimension(const hg_conv_problem *p, int d)
{
    const int64_t most = INT64_C(1) << 40;
    int64_t all[] = {p->size[d], p->kernel[d], p->stride[d], p->begin[d], p->end[d], p->dilation[d]};
    for (int i = 0; i < 6; i++)
        if (all[i] > most) return hg_error(HG_E_ARG, "conv: %lld is too large in dimension %d", (long long)all[i], d);
    if (p->size[d] < 1 || p->kernel[d] < 1 || p->stride[d] < 1 || p->dilation[d] < 1 || p->begin[d] < 0 ||
        p->end[d] < 0)
        return hg_error(
            HG_E_ARG,
            "conv: dimension %d has size %lld, kernel %lld, stride %lld, dilation %lld, padding %lld and %lld; "
            "padding must not be negative, the others must be positive",
            d, (long long)p->size[d], (long long)p->kernel[d], (long long)p->stride[d], (long long)p->dilation[d],
            (long long)p->begin[d], (long long)p->end[d]);
    int64_t extent;
    if (!hg_mul_i64(p->dilation[d], p->kernel[d] - 1, &extent) || extent >= p->size[d] + p->begin[d] + p->end[d])
        return hg_error(HG_E_SHAPE, "conv: a kernel of %lld with dilation %lld does not fit a padded size of %lld",
                        (long long)p->kernel[d], (long long)p->dilation[d],
                        (long long)(p->size[d] + p->begin[d] + p->end[d]));
    return HG_OK;
}

hg_status hg_conv_check(const hg_conv_problem *p)
{
    if (p->rank < 1 || p->rank > HG_CONV_RANK || p->direction < HG_CONV_FORWARD ||
        p->direction > HG_CONV_BACKWARD_WEIGHTS || (p->dtype != HG_F32 && p->dtype != HG_F64))
        return hg_error(HG_E_ARG, "conv: rank %d, direction %d, dtype %d; 1 to 3 dimensions of f32 or f64 are possible",
                        p->rank, p->direction, p->dtype);
    if (p->batch < 0 || p->channels < 0 || p->outputs < 0 || p->groups < 1 || p->channels % p->groups ||
        p->outputs % p->groups)
        return hg_error(HG_E_ARG,
                        "conv: batch %lld, %lld channels, %lld outputs in %lld groups; groups must divide both",
                        (long long)p->batch, (long long)p->channels, (long long)p->outputs, (long long)p->groups);
    if (p->epilogue & ~(HG_CONV_BIAS | HG_CONV_RELU | HG_CONV_RESIDUAL) ||
        (p->epilogue && p->direction != HG_CONV_FORWARD))
        return hg_error(HG_E_ARG, "conv: only the forward direction has bias, residual or ReLU");
    if (p->workspace_limit < 0)
        return hg_error(HG_E_ARG, "conv: a workspace limit of %lld bytes", (long long)p->workspace_limit);
    int64_t out[HG_CONV_RANK];
    for (int d = 0; d < p->rank; d++) {
        HG_TRY(check_dimension(p, d));
        out[d] = hg_conv_output(p, d);
    }
    if (!countable(p->batch, p->channels, p->size, p->rank) || !countable(p->batch, p->outputs, out, p->rank) ||
        !countable(p->outputs, p->channels, p->kernel, p->rank))
        return hg_error(HG_E_SHAPE, "conv: the sizes overflow");
    return HG_OK;
}

/* ---- text ---- */

typedef struct writer {
    char *out;
    size_t used;
} writer;

static void put(writer *w, const char *format, ...) HG_PRINTF(2, 3);
static void put(writer *w, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(w->out + w->used, HG_CONV_KEY - w->used, format, args);
    va_end(args);
    w->used = w->used + (size_t)n < HG_CONV_KEY ? w->used + (size_t)n : HG_CONV_KEY - 1;
}

static void put_dims(writer *w, const char *prefix, const int64_t *v, int n)
{
    put(w, "%s", prefix);
    for (int d = 0; d < n; d++) put(w, d ? "x%lld" : "%lld", (long long)v[d]);
}

static bool all_ones(const int64_t *v, int n)
{
    for (int d = 0; d < n; d++)
        if (v[d] != 1) return false;
    return true;
}

char *hg_conv_key(const hg_conv_problem *p, char out[HG_CONV_KEY])
{
    writer w = {out, 0};
    put(&w, "%s %lldx%lld", directions[p->direction], (long long)p->batch, (long long)p->channels);
    put_dims(&w, "x", p->size, p->rank);
    put(&w, " %lld", (long long)p->outputs);
    put_dims(&w, "x", p->kernel, p->rank);
    put_dims(&w, " s", p->stride, p->rank);
    for (int d = 0; d < p->rank; d++) {
        put(&w, "%s%lld", d ? "x" : " p", (long long)p->begin[d]);
        if (p->end[d] != p->begin[d]) put(&w, ":%lld", (long long)p->end[d]);
    }
    put(&w, " %s", p->dtype == HG_F64 ? "f64" : "f32");
    if (!all_ones(p->dilation, p->rank)) put_dims(&w, " d", p->dilation, p->rank);
    if (p->groups != 1) put(&w, " g%lld", (long long)p->groups);
    if (p->epilogue & HG_CONV_BIAS) put(&w, " bias");
    if (p->epilogue & HG_CONV_RESIDUAL) put(&w, " residual");
    if (p->epilogue & HG_CONV_RELU) put(&w, " relu");
    if (p->workspace_limit) put(&w, " w%lld", (long long)p->workspace_limit);
    return out;
}

/* Up to `most` non-negative numbers separated by 'x', the whole of `text`; the second number of a pair a:b goes to
 * `second` (the first one again where there is none), which is NULL where pairs are not allowed. Returns how many. */
static int read_dims(const char *text, int64_t *v, int64_t *second, int most)
{
    int n = 0;
    for (;;) {
        char *end;
        if (n == most || *text < '0' || *text > '9') return 0;
        v[n] = strtoll(text, &end, 10);
        if (second) second[n] = v[n];
        if (second && *end == ':' && end[1] >= '0' && end[1] <= '9') second[n] = strtoll(end + 1, &end, 10);
        n++;
        if (!*end) return n;
        if (*end != 'x') return 0;
        text = end + 1;
    }
}

/* One field after the first three; false if it cannot be read. */
static bool read_field(const char *field, hg_conv_problem *p)
{
    int64_t one;
    if (!strcmp(field, "f32") || !strcmp(field, "f64"))
        p->dtype = field[1] == '3' ? HG_F32 : HG_F64;
    else if (!strcmp(field, "bias"))
        p->epilogue |= HG_CONV_BIAS;
    else if (!strcmp(field, "residual"))
        p->epilogue |= HG_CONV_RESIDUAL;
    else if (!strcmp(field, "relu"))
        p->epilogue |= HG_CONV_RELU;
    else if (*field == 's')
        return read_dims(field + 1, p->stride, NULL, p->rank) == p->rank;
    else if (*field == 'p')
        return read_dims(field + 1, p->begin, p->end, p->rank) == p->rank;
    else if (*field == 'd')
        return read_dims(field + 1, p->dilation, NULL, p->rank) == p->rank;
    else if (*field == 'g' && read_dims(field + 1, &one, NULL, 1))
        p->groups = one;
    else if (*field == 'w' && read_dims(field + 1, &one, NULL, 1))
        p->workspace_limit = one;
    else
        return false;
    return true;
}

static bool read_place(int place, const char *field, hg_conv_problem *p)
{
    int64_t v[2 + HG_CONV_RANK];
    if (place == 0) {
        for (int i = 0; i < 3; i++)
            if (!strcmp(field, directions[i])) {
                p->direction = i;
                return true;
            }
        return false;
    }
    if (place == 1) {
        int n = read_dims(field, v, NULL, 2 + HG_CONV_RANK);
        if (n < 3) return false;
        p->rank = n - 2;
        p->batch = v[0];
        p->channels = v[1];
        for (int d = 0; d < p->rank; d++) {
            p->size[d] = v[2 + d];
            p->stride[d] = p->dilation[d] = 1;
        }
        return true;
    }
    if (place > 2) return read_field(field, p);
    if (read_dims(field, v, NULL, 1 + p->rank) != 1 + p->rank) return false;
    p->outputs = v[0];
    memcpy(p->kernel, v + 1, sizeof *v * (size_t)p->rank);
    return true;
}

hg_status hg_conv_parse(const char *key, hg_conv_problem *p)
{
    char field[HG_CONV_KEY];
    int place = 0;
    *p = (hg_conv_problem){.groups = 1};
    for (const char *at = key; *at; place++) {
        size_t n = strcspn(at, " ");
        snprintf(field, sizeof field, "%.*s", (int)hg_min_i64((int64_t)n, HG_CONV_KEY - 1), at);
        if (!read_place(place, field, p))
            return hg_error(
                HG_E_FORMAT,
                "conv: \"%s\" cannot be read in \"%s\"; write it as \"fwd 8x64x56x56 64x3x3 s1x1 p1x1 f32\"", field,
                key);
        at += n;
        at += strspn(at, " ");
    }
    if (place < 3)
        return hg_error(HG_E_FORMAT, "conv: \"%s\" is cut short; write it as \"fwd 8x64x56x56 64x3x3 s1x1 p1x1 f32\"",
                        key);
    return hg_conv_check(p);
}

/* ---- for kernels ---- */

bool hg_conv_wide(const hg_conv_problem *p)
{
    const int64_t most = INT32_MAX - (1 << 26); /* loops step past the last element by less than this */
    bool wide = hg_conv_input_numel(p) > most || hg_conv_output_numel(p) > most || hg_conv_weight_numel(p) > most;
    for (int d = 0; d < p->rank; d++) wide |= p->size[d] + p->begin[d] + p->end[d] > most;
    return wide;
}

void hg_conv_geometry(const hg_conv_problem *p, hg_arg g[3])
{
    int64_t size[3] = {1, 1, 1}, out[3] = {1, 1, 1}, kernel[3] = {1, 1, 1}, stride[3] = {1, 1, 1}, begin[3] = {0},
            dilation[3] = {1, 1, 1};
    int first = 3 - p->rank;
    for (int d = 0; d < p->rank; d++) {
        size[first + d] = p->size[d];
        out[first + d] = hg_conv_output(p, d);
        kernel[first + d] = p->kernel[d];
        stride[first + d] = p->stride[d];
        begin[first + d] = p->begin[d];
        dilation[first + d] = p->dilation[d];
    }
    g[0] = (hg_arg){
        .size = sizeof(cl_long8),
        .value.i64x8 = {{p->batch, p->channels, p->outputs, p->groups, size[0], size[1], size[2], dilation[0]}}};
    g[1] =
        (hg_arg){.size = sizeof(cl_long8),
                 .value.i64x8 = {{out[0], out[1], out[2], kernel[0], kernel[1], kernel[2], dilation[1], dilation[2]}}};
    g[2] = (hg_arg){.size = sizeof(cl_long8),
                    .value.i64x8 = {{stride[0], stride[1], stride[2], begin[0], begin[1], begin[2], 0, 0}}};
}
