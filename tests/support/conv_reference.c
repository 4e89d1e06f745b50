#include "conv_reference.h"

#include <string.h>

/* The problem as three dimensions. */
typedef struct box {
    int64_t size[3], out[3], kernel[3], stride[3], begin[3], dilation[3];
} box;

static box box_of(const hg_conv_problem *p)
{
    box b = {{1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {0}, {1, 1, 1}};
    for (int d = 0; d < p->rank; d++) {
        int to = 3 - p->rank + d;
        b.size[to] = p->size[d];
        b.kernel[to] = p->kernel[d];
        b.stride[to] = p->stride[d];
        b.begin[to] = p->begin[d];
        b.dilation[to] = p->dilation[d];
        b.out[to] = (p->size[d] + p->begin[d] + p->end[d] - p->dilation[d] * (p->kernel[d] - 1) - 1) / p->stride[d] + 1;
    }
    return b;
}

/* One pair of planes and its kernel: every tap of every output adds one product. */
static void planes(const box *b, int direction, double *x, double *w, double *y)
{
    for (int64_t i = 0; i < b->out[0] * b->out[1] * b->out[2]; i++) {
        int64_t o[3] = {i / (b->out[1] * b->out[2]), i / b->out[2] % b->out[1], i % b->out[2]};
        for (int64_t t = 0; t < b->kernel[0] * b->kernel[1] * b->kernel[2]; t++) {
            int64_t k[3] = {t / (b->kernel[1] * b->kernel[2]), t / b->kernel[2] % b->kernel[1], t % b->kernel[2]},
                    at = 0;
            int inside = 1;
            for (int d = 0; d < 3; d++) {
                int64_t in = o[d] * b->stride[d] - b->begin[d] + k[d] * b->dilation[d];
                inside &= in >= 0 && in < b->size[d];
                at = at * b->size[d] + in;
            }
            if (!inside) continue;
            if (direction == HG_CONV_FORWARD)
                y[i] += w[t] * x[at];
            else if (direction == HG_CONV_BACKWARD_DATA)
                x[at] += w[t] * y[i];
            else
                w[t] += x[at] * y[i];
        }
    }
}

void test_conv_reference(const hg_conv_problem *p, double *x, double *w, double *y)
{
    box b = box_of(p);
    int64_t area = b.size[0] * b.size[1] * b.size[2], out = b.out[0] * b.out[1] * b.out[2],
            kernel = b.kernel[0] * b.kernel[1] * b.kernel[2], cg = p->channels / p->groups, og = p->outputs / p->groups;
    if (p->direction == HG_CONV_FORWARD)
        memset(y, 0, sizeof *y * (size_t)(p->batch * p->outputs * out));
    else if (p->direction == HG_CONV_BACKWARD_DATA)
        memset(x, 0, sizeof *x * (size_t)(p->batch * p->channels * area));
    else
        memset(w, 0, sizeof *w * (size_t)(p->outputs * cg * kernel));
    for (int64_t n = 0; n < p->batch; n++)
        for (int64_t o = 0; o < p->outputs; o++)
            for (int64_t c = 0; c < cg; c++)
                planes(&b, p->direction, x + (n * p->channels + o / og * cg + c) * area, w + (o * cg + c) * kernel,
                       y + (n * p->outputs + o) * out);
}
