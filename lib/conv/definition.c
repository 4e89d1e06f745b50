#include "conv/definition.h"

/* A problem in three dimensions, and an iteration over two positions of it. */
typedef struct box {
    const hg_conv_problem *p;
    int64_t size[3], out[3], kernel[3], stride[3], begin[3], dilation[3];
    int64_t cg, og, area, out_area, kernel_area;
    double (*value)(hg_conv_operand operand, int64_t i);
} box;

static box box_of(const hg_conv_problem *p)
{
    box b = {p, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {0}, {1, 1, 1}, .value = NULL};
    for (int d = 0; d < p->rank; d++) {
        int to = 3 - p->rank + d;
        b.size[to] = p->size[d];
        b.out[to] = hg_conv_output(p, d);
        b.kernel[to] = p->kernel[d];
        b.stride[to] = p->stride[d];
        b.begin[to] = p->begin[d];
        b.dilation[to] = p->dilation[d];
    }
    b.cg = p->channels / p->groups;
    b.og = p->outputs / p->groups;
    b.area = hg_conv_input_area(p);
    b.out_area = hg_conv_output_area(p);
    b.kernel_area = hg_conv_kernel_area(p);
    return b;
}

static void place(int64_t i, const int64_t size[3], int64_t at[3])
{
    at[2] = i % size[2];
    at[1] = i / size[2] % size[1];
    at[0] = i / size[2] / size[1];
}

/* The input's pixel under tap `tap` of output pixel `out`; -1 in the padding. */
static int64_t pixel_of(const box *b, int64_t out, int64_t tap)
{
    int64_t o[3], k[3], pixel = 0;
    place(out, b->out, o);
    place(tap, b->kernel, k);
    for (int d = 0; d < 3; d++) {
        int64_t in = o[d] * b->stride[d] - b->begin[d] + k[d] * b->dilation[d];
        if (in < 0 || in >= b->size[d]) return -1;
        pixel = pixel * b->size[d] + in;
    }
    return pixel;
}

/* The output's pixel that meets input pixel `pixel` with tap `tap`; -1 if none does. */
static int64_t output_of(const box *b, int64_t pixel, int64_t tap)
{
    int64_t in[3], k[3], out = 0;
    place(pixel, b->size, in);
    place(tap, b->kernel, k);
    for (int d = 0; d < 3; d++) {
        int64_t from = in[d] + b->begin[d] - k[d] * b->dilation[d];
        if (from < 0 || from % b->stride[d] || from / b->stride[d] >= b->out[d]) return -1;
        out = out * b->out[d] + from / b->stride[d];
    }
    return out;
}

static double forward(const box *b, int64_t i)
{
    const hg_conv_problem *p = b->p;
    int64_t out = i % b->out_area, o = i / b->out_area % p->outputs, n = i / b->out_area / p->outputs;
    double sum = p->epilogue & HG_CONV_BIAS ? b->value(HG_CONV_BIAS_OPERAND, o) : 0;
    if (p->epilogue & HG_CONV_RESIDUAL) sum += b->value(HG_CONV_RESIDUAL_OPERAND, i);
    for (int64_t c = 0; c < b->cg; c++) {
        int64_t plane = n * p->channels + o / b->og * b->cg + c;
        for (int64_t tap = 0; tap < b->kernel_area; tap++) {
            int64_t pixel = pixel_of(b, out, tap);
            if (pixel < 0) continue;
            sum += b->value(HG_CONV_INPUT, plane * b->area + pixel) *
                   b->value(HG_CONV_WEIGHT, (o * b->cg + c) * b->kernel_area + tap);
        }
    }
    return p->epilogue & HG_CONV_RELU && sum < 0 ? 0 : sum;
}

static double backward_data(const box *b, int64_t i)
{
    const hg_conv_problem *p = b->p;
    int64_t pixel = i % b->area, c = i / b->area % p->channels, n = i / b->area / p->channels;
    double sum = 0;
    for (int64_t tap = 0; tap < b->kernel_area; tap++) {
        int64_t out = output_of(b, pixel, tap);
        if (out < 0) continue;
        for (int64_t k = 0; k < b->og; k++) {
            int64_t o = c / b->cg * b->og + k;
            sum += b->value(HG_CONV_OUTPUT, (n * p->outputs + o) * b->out_area + out) *
                   b->value(HG_CONV_WEIGHT, (o * b->cg + c % b->cg) * b->kernel_area + tap);
        }
    }
    return sum;
}

static double backward_weights(const box *b, int64_t i)
{
    const hg_conv_problem *p = b->p;
    int64_t tap = i % b->kernel_area, c = i / b->kernel_area % b->cg, o = i / b->kernel_area / b->cg;
    double sum = 0;
    for (int64_t n = 0; n < p->batch; n++) {
        int64_t plane = n * p->channels + o / b->og * b->cg + c;
        for (int64_t out = 0; out < b->out_area; out++) {
            int64_t pixel = pixel_of(b, out, tap);
            if (pixel < 0) continue;
            sum += b->value(HG_CONV_INPUT, plane * b->area + pixel) *
                   b->value(HG_CONV_OUTPUT, (n * p->outputs + o) * b->out_area + out);
        }
    }
    return sum;
}

double hg_conv_element(const hg_conv_problem *p, int64_t i, double (*value)(hg_conv_operand operand, int64_t i))
{
    box b = box_of(p);
    b.value = value;
    if (p->direction == HG_CONV_FORWARD) return forward(&b, i);
    return p->direction == HG_CONV_BACKWARD_DATA ? backward_data(&b, i) : backward_weights(&b, i);
}

int64_t hg_conv_terms(const hg_conv_problem *p)
{
    if (p->direction == HG_CONV_FORWARD) return p->channels / p->groups * hg_conv_kernel_area(p);
    if (p->direction == HG_CONV_BACKWARD_DATA) return p->outputs / p->groups * hg_conv_kernel_area(p);
    return p->batch * hg_conv_output_area(p);
}
