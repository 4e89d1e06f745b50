/* A product on the device against three loops. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cl/transfer.h"
#include "suites.h"

static const double UNTOUCHED = 12345;

/* A matrix batch in host memory, as doubles, and on the device. */
typedef struct operand {
    int64_t rows, columns, count, elements; /* rows x columns as in memory */
    hg_matrix matrix;
    hg_block *block;
    double *data;
} operand;

static double value(bool rough)
{
    return !rough ? (double)test_between(-4, 4) : test_uniform(-1, 1);
}

static int64_t place(const operand *x, int64_t z, int64_t row, int64_t column)
{
    return x->matrix.offset + z * x->matrix.step + row * x->matrix.ld + column;
}

static void send(const operand *x, bool f64)
{
    size_t size = (size_t)x->elements * (f64 ? 8 : 4);
    float *narrow = malloc(size + 1);
    for (int64_t i = 0; i < x->elements && !f64; i++) narrow[i] = (float)x->data[i];
    if (size) ck_assert_hg(hg_upload(test_device(), x->block->mem, 0, f64 ? (void *)x->data : narrow, size));
    free(narrow);
}

static operand make(int64_t rows, int64_t columns, int64_t count, bool one, int64_t offset, int64_t gap, bool f64)
{
    operand x = {.rows = rows, .columns = columns, .count = one ? 1 : count};
    int64_t ld = columns + gap > 0 ? columns + gap : 1;
    x.matrix = (hg_matrix){.offset = offset, .ld = ld, .step = one ? 0 : rows * ld + (gap ? 3 : 0)};
    x.elements = offset + (one ? rows * ld : count * x.matrix.step) + 7;
    x.block = hg_pool_take(test_device(), (size_t)x.elements * (f64 ? 8 : 4));
    ck_assert_msg(x.block != NULL, "%s", hg_last_error());
    x.matrix.mem = x.block->mem;
    x.data = malloc((size_t)x.elements * sizeof *x.data);
    for (int64_t i = 0; i < x.elements; i++) x.data[i] = UNTOUCHED;
    return x;
}

static void fill(operand *x, bool rough, bool poison, bool f64)
{
    for (int64_t z = 0; z < x->count; z++)
        for (int64_t r = 0; r < x->rows; r++)
            for (int64_t c = 0; c < x->columns; c++) {
                double v = poison ? NAN : value(rough);
                x->data[place(x, z, r, c)] = f64 ? v : (float)v;
            }
    send(x, f64);
}

static void drop(operand *x)
{
    hg_pool_give(test_device(), x->block);
    free(x->data);
}

static const char *text(const product *p)
{
    static char out[256];
    snprintf(out, sizeof out,
             "%s %lldx%lldx%lld batch %lld%s%s%s%s alpha %g beta %g bias %d relu %d offsets %lld %lld %lld gaps %lld "
             "%lld %lld",
             p->f64 ? "f64" : "f32", (long long)p->m, (long long)p->n, (long long)p->k, (long long)p->batch,
             p->trans_a ? " A^T" : "", p->trans_b ? " B^T" : "", p->one_a ? " one A" : "", p->one_b ? " one B" : "",
             p->alpha, p->beta, p->bias_along, p->relu, (long long)p->offset[0], (long long)p->offset[1],
             (long long)p->offset[2], (long long)p->gap[0], (long long)p->gap[1], (long long)p->gap[2]);
    return out;
}

/* What the element of C should be. */
static double expected(const product *p, const operand *a, const operand *b, const operand *c, const operand *bias,
                       int64_t z, int64_t i, int64_t j)
{
    double sum = 0;
    for (int64_t k = 0; k < p->k; k++) {
        double av = a->data[p->trans_a ? place(a, z, k, i) : place(a, z, i, k)];
        double bv = b->data[p->trans_b ? place(b, z, j, k) : place(b, z, k, j)];
        sum += av * bv;
    }
    sum *= p->alpha;
    if (p->beta != 0) sum += p->beta * c->data[place(c, z, i, j)];
    if (p->bias_along != HG_BIAS_NONE) sum += bias->data[place(bias, 0, 0, p->bias_along == HG_BIAS_ROWS ? i : j)];
    return p->relu && sum < 0 ? 0 : sum;
}

static double *receive(const operand *c, bool f64)
{
    double *out = malloc((size_t)c->elements * sizeof *out);
    float *narrow = malloc((size_t)c->elements * sizeof *narrow);
    ck_assert_hg(
        hg_download(test_device(), c->block->mem, 0, f64 ? (void *)out : narrow, (size_t)c->elements * (f64 ? 8 : 4)));
    for (int64_t i = 0; i < c->elements && !f64; i++) out[i] = narrow[i];
    free(narrow);
    return out;
}

static void compare(const product *p, const operand *a, const operand *b, const operand *c, const operand *bias)
{
    double *got = receive(c, p->f64), squares = 0, largest = 0;
    for (int64_t z = 0; z < p->batch; z++)
        for (int64_t i = 0; i < p->m; i++)
            for (int64_t j = 0; j < p->n; j++) {
                double *g = &got[place(c, z, i, j)], e = expected(p, a, b, c, bias, z, i, j);
                ck_assert_msg(!p->rough ? *g == e : isfinite(*g), "%s: C[%lld][%lld][%lld] is %.9g, expected %.9g",
                              text(p), (long long)z, (long long)i, (long long)j, *g, e);
                squares += (*g - e) * (*g - e);
                largest = fmax(largest, fabs(e));
                *g = c->data[place(c, z, i, j)] = UNTOUCHED;
            }
    for (int64_t i = 0; i < c->elements; i++)
        ck_assert_msg(got[i] == UNTOUCHED, "%s: element %lld of C's buffer, outside the result, became %.9g", text(p),
                      (long long)i, got[i]);
    double count = (double)(p->batch * p->m * p->n), error = count > 0 ? sqrt(squares / count) : 0;
    double limit = (p->f64 ? 1e-15 : 1e-6) * largest;
    ck_assert_msg(error <= limit, "%s: RMS error %.3g, largest value %.3g", text(p), error, largest);
    free(got);
}

void check_product(const product *p)
{
    int64_t rows_a = p->trans_a ? p->k : p->m, columns_a = p->trans_a ? p->m : p->k;
    int64_t rows_b = p->trans_b ? p->n : p->k, columns_b = p->trans_b ? p->k : p->n;
    operand a = make(rows_a, columns_a, p->batch, p->one_a, p->offset[0], p->gap[0], p->f64);
    operand b = make(rows_b, columns_b, p->batch, p->one_b, p->offset[1], p->gap[1], p->f64);
    operand c = make(p->m, p->n, p->batch, false, p->offset[2], p->gap[2], p->f64);
    operand bias = make(1, p->bias_along == HG_BIAS_ROWS ? p->m : p->n, 1, true, p->offset[2], 0, p->f64);
    fill(&a, p->rough, false, p->f64);
    fill(&b, p->rough, false, p->f64);
    fill(&c, p->rough, p->beta == 0, p->f64);
    fill(&bias, p->rough, false, p->f64);
    hg_gemm_problem problem = {.f64 = p->f64,
                               .trans_a = p->trans_a,
                               .trans_b = p->trans_b,
                               .m = p->m,
                               .n = p->n,
                               .k = p->k,
                               .batch = p->batch,
                               .alpha = p->alpha,
                               .beta = p->beta,
                               .a = a.matrix,
                               .b = b.matrix,
                               .c = c.matrix,
                               .bias_along = p->bias_along,
                               .bias = bias.matrix.mem,
                               .bias_offset = bias.matrix.offset,
                               .relu = p->relu};
    ck_assert_msg((p->clblast ? hg_gemm_clblast : hg_gemm)(test_device(), &problem) == HG_OK, "%s: %s", text(p),
                  hg_last_error());
    compare(p, &a, &b, &c, &bias);
    drop(&a);
    drop(&b);
    drop(&c);
    drop(&bias);
}
