#include "check.h"

#include <math.h>
#include <string.h>

/* The problem in three dimensions, those that it lacks of size 1. */
typedef struct box {
    int64_t size[3], out[3], kernel[3], stride[3], begin[3], dilation[3];
    int64_t area, out_area, taps, cg, og;   /* of input, output and kernel; channels and outputs a group */
} box;

static box box_of(const hg_conv_problem *p)
{
    box b = {{1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {0}, {1, 1, 1}, 0, 0, 0, 0, 0};
    for (int d = 0; d < p->rank; d++) {
        int to = 3 - p->rank + d;
        b.size[to] = p->size[d];
        b.out[to] = hg_conv_output(p, d);
        b.kernel[to] = p->kernel[d];
        b.stride[to] = p->stride[d];
        b.begin[to] = p->begin[d];
        b.dilation[to] = p->dilation[d];
    }
    b.area = b.size[0] * b.size[1] * b.size[2];
    b.out_area = b.out[0] * b.out[1] * b.out[2];
    b.taps = b.kernel[0] * b.kernel[1] * b.kernel[2];
    b.cg = p->channels / p->groups;
    b.og = p->outputs / p->groups;
    return b;
}

static void split(int64_t flat, const int64_t size[3], int64_t at[3])
{
    at[0] = flat / (size[1] * size[2]);
    at[1] = flat / size[2] % size[1];
    at[2] = flat % size[2];
}

static int64_t join(const int64_t at[3], const int64_t size[3])
{
    return (at[0] * size[1] + at[1]) * size[2] + at[2];
}

/* The tap's position in the input for an output; false outside it. */
static bool to_input(const box *b, const int64_t out[3], const int64_t tap[3], int64_t in[3])
{
    for (int d = 0; d < 3; d++) {
        in[d] = out[d] * b->stride[d] - b->begin[d] + tap[d] * b->dilation[d];
        if (in[d] < 0 || in[d] >= b->size[d]) return false;
    }
    return true;
}

/* The output that reads this input by the tap; false if none does. */
static bool to_output(const box *b, const int64_t in[3], const int64_t tap[3], int64_t out[3])
{
    for (int d = 0; d < 3; d++) {
        int64_t at = in[d] + b->begin[d] - tap[d] * b->dilation[d];
        if (at < 0 || at % b->stride[d]) return false;
        out[d] = at / b->stride[d];
        if (out[d] >= b->out[d]) return false;
    }
    return true;
}

static double forward(const box *b, const hg_conv_problem *p, const float *x, const float *w, int64_t index)
{
    int64_t out[3], tap[3], in[3], o = index / b->out_area % p->outputs, n = index / b->out_area / p->outputs;
    double sum = 0;
    split(index % b->out_area, b->out, out);
    x += (n * p->channels + o / b->og * b->cg) * b->area;
    w += o * b->cg * b->taps;
    for (int64_t t = 0; t < b->taps; t++) {
        split(t, b->kernel, tap);
        if (!to_input(b, out, tap, in)) continue;
        int64_t at = join(in, b->size);
        for (int64_t c = 0; c < b->cg; c++) sum += (double)x[c * b->area + at] * (double)w[c * b->taps + t];
    }
    return sum;
}

static double backward_data(const box *b, const hg_conv_problem *p, const float *w, const float *y, int64_t index)
{
    int64_t in[3], tap[3], out[3], c = index / b->area % p->channels, n = index / b->area / p->channels;
    int64_t first = c / b->cg * b->og;
    double sum = 0;
    split(index % b->area, b->size, in);
    y += (n * p->outputs + first) * b->out_area;
    w += (first * b->cg + c % b->cg) * b->taps;
    for (int64_t t = 0; t < b->taps; t++) {
        split(t, b->kernel, tap);
        if (!to_output(b, in, tap, out)) continue;
        int64_t at = join(out, b->out);
        for (int64_t o = 0; o < b->og; o++)
            sum += (double)y[o * b->out_area + at] * (double)w[o * b->cg * b->taps + t];
    }
    return sum;
}

/* Sum over n of a[n * step] b[n]. */
static double dot(const float *a, int64_t step, const float *b, int64_t n)
{
    double part[4] = {0};
    int64_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (int k = 0; k < 4; k++) part[k] += (double)a[(i + k) * step] * (double)b[i + k];
    for (; i < n; i++) part[0] += (double)a[i * step] * (double)b[i];
    return (part[0] + part[1]) + (part[2] + part[3]);
}

static double backward_weights(const box *b, const hg_conv_problem *p, const float *x, const float *y, int64_t index)
{
    int64_t tap[3], c = index / b->taps % b->cg, o = index / b->taps / b->cg, shift[3], in[3], low = 0;
    double sum = 0;
    split(index % b->taps, b->kernel, tap);
    for (int d = 0; d < 3; d++) shift[d] = tap[d] * b->dilation[d] - b->begin[d];
    /* Along the last dimension the outputs low..high read inside the input. */
    if (shift[2] < 0) low = (-shift[2] + b->stride[2] - 1) / b->stride[2];
    int64_t room = b->size[2] - 1 - shift[2], high = room < 0 ? -1 : room / b->stride[2];
    if (high >= b->out[2]) high = b->out[2] - 1;
    if (high < low) return 0;
    for (int64_t n = 0; n < p->batch; n++) {
        const float *xs = x + (n * p->channels + o / b->og * b->cg + c) * b->area;
        const float *ys = y + (n * p->outputs + o) * b->out_area;
        for (int64_t row = 0; row < b->out[0] * b->out[1]; row++) {
            in[0] = row / b->out[1] * b->stride[0] + shift[0];
            in[1] = row % b->out[1] * b->stride[1] + shift[1];
            in[2] = low * b->stride[2] + shift[2];
            if (in[0] < 0 || in[0] >= b->size[0] || in[1] < 0 || in[1] >= b->size[1]) continue;
            sum += dot(xs + join(in, b->size), b->stride[2], ys + row * b->out[2] + low, high - low + 1);
        }
    }
    return sum;
}

/* Products that are added for one element of the result. */
static double terms_of(const hg_conv_problem *p)
{
    if (p->direction == HG_CONV_BACKWARD_WEIGHTS) return (double)p->batch * (double)hg_conv_output_area(p);
    int64_t width = (p->direction == HG_CONV_FORWARD ? p->channels : p->outputs) / p->groups;
    return (double)width * (double)hg_conv_kernel_area(p);
}

static int64_t result_numel(const hg_conv_problem *p)
{
    return p->direction == HG_CONV_FORWARD         ? hg_conv_output_numel(p)
           : p->direction == HG_CONV_BACKWARD_DATA ? hg_conv_input_numel(p)
                                                   : hg_conv_weight_numel(p);
}

void bench_reference_make(const hg_conv_problem *p, const float *x, const float *w, const float *y,
                          bench_reference *reference)
{
    const double most_work = 4e8;   /* products: about half a second */
    box b = box_of(p);
    int64_t count = result_numel(p), samples = (int64_t)fmax(256, most_work / terms_of(p));
    uint32_t state = 1;
    if (samples > BENCH_SAMPLES) samples = BENCH_SAMPLES;
    if (samples > count) samples = count;
    reference->count = (int)samples;
    reference->largest = 0;
    for (int64_t i = 0; i < samples; i++) {     /* one in each of as many equal parts; the first and the last element */
        int64_t from = i * count / samples, to = (i + 1) * count / samples;
        state = state * 1664525 + 1013904223;
        int64_t at = i == 0 ? 0 : i == samples - 1 ? count - 1 : from + (int64_t)(state >> 8) % (to - from);
        double value = p->direction == HG_CONV_FORWARD         ? forward(&b, p, x, w, at)
                       : p->direction == HG_CONV_BACKWARD_DATA ? backward_data(&b, p, w, y, at)
                                                               : backward_weights(&b, p, x, y, at);
        reference->index[i] = at;
        reference->value[i] = value;
        reference->largest = fmax(reference->largest, fabs(value));
    }
}

double bench_rms_error(const bench_reference *reference, const float *result, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        if (isnan(result[i])) return NAN;
    for (int i = 0; i < reference->count; i++) {
        double difference = result[reference->index[i]] - reference->value[i];
        sum += difference * difference;
    }
    double rms = sqrt(sum / reference->count);
    return rms == 0 ? 0 : rms / reference->largest;
}

double bench_error_bound(const hg_conv_problem *p, const char *solver)
{
    double base = !strncmp(solver, "winograd-f6", 11) ? 1e-5 : !strncmp(solver, "winograd-f4", 11) ? 2e-6 : 1e-6;
    return base * sqrt(fmax(1, terms_of(p) / 4608));
}
