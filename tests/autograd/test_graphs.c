/* Random graphs against the same reverse walk in plain double. */
#include <math.h>
#include <string.h>

#include "suites.h"

enum { N = 5, LEAVES = 3, NODES = 40 };

typedef enum kind { LEAF, ADD, SUB, MUL, TANH, SCALE, VIEW, KINDS } kind;

typedef struct vertex {
    kind kind;
    int a, b;
    double value[N], grad[N];
    hg_tensor *tensor;
} vertex;

static void compute(vertex *v, int i)
{
    vertex *y = &v[i], *a = &v[y->a], *b = &v[y->b];
    for (int k = 0; k < N; k++) {
        double p = a->value[k], q = b->value[k];
        switch (y->kind) {
        case ADD: y->value[k] = p + q; break;
        case SUB: y->value[k] = p - q; break;
        case MUL: y->value[k] = p * q; break;
        case TANH: y->value[k] = tanh(p); break;
        case SCALE: y->value[k] = p * 0.5; break;
        default: y->value[k] = p;
        }
    }
    switch (y->kind) {
    case ADD: y->tensor = hg_add(a->tensor, b->tensor); break;
    case SUB: y->tensor = hg_sub(a->tensor, b->tensor); break;
    case MUL: y->tensor = hg_mul(a->tensor, b->tensor); break;
    case TANH: y->tensor = hg_tanh(a->tensor); break;
    case SCALE: y->tensor = hg_mul_scalar(a->tensor, 0.5); break;
    default: y->tensor = hg_view(hg_unsqueeze(a->tensor, 0), HG_SHAPE(N));
    }
}

static void push_back(vertex *v, int i)
{
    vertex *y = &v[i], *a = &v[y->a], *b = &v[y->b];
    for (int k = 0; k < N; k++) {
        double g = y->grad[k], p = a->value[k], q = b->value[k];
        switch (y->kind) {
        case ADD: a->grad[k] += g, b->grad[k] += g; break;
        case SUB: a->grad[k] += g, b->grad[k] -= g; break;
        case MUL: a->grad[k] += g * q, b->grad[k] += g * p; break;
        case TANH: a->grad[k] += g * (1 - y->value[k] * y->value[k]); break;
        case SCALE: a->grad[k] += g * 0.5; break;
        default: a->grad[k] += g;
        }
    }
}

/* Rounding errors are a fraction of this. */
static double largest(const vertex *v)
{
    double most = 1;
    for (int i = 0; i < NODES; i++)
        for (int k = 0; k < N; k++) most = fmax(most, fmax(fabs(v[i].value[k]), fabs(v[i].grad[k])));
    return most * most;     /* a value times a gradient */
}

START_TEST(random_graphs_have_the_gradients_of_plain_double)
{
    hg_dtype dtype = test_has_f64() ? HG_F64 : HG_F32;
    for (int round = 0; round < 12; round++) {
        hg_scope *s = hg_scope_begin(test_device());
        vertex v[NODES];
        memset(v, 0, sizeof v);
        for (int i = 0; i < NODES; i++) {
            if (i < LEAVES) {
                for (int k = 0; k < N; k++) v[i].value[k] = (float)test_uniform(-1, 1);
                v[i].tensor = test_tensor(dtype, HG_SHAPE(N), v[i].value);
                if (i > 0 || round % 2) ck_assert_hg(hg_set_requires_grad(v[i].tensor, true));
                continue;
            }
            v[i].kind = (kind)test_between(ADD, KINDS - 1);
            v[i].a = (int)test_between(i > 8 ? i - 8 : 0, i - 1);
            v[i].b = (int)test_between(0, i - 1);
            if (v[i].kind == MUL && i > 8) v[i].kind = SUB;     /* products of products would run away */
            compute(v, i);
        }
        vertex *last = &v[NODES - 1];
        for (int k = 0; k < N; k++) last->grad[k] = 1;
        for (int i = NODES - 1; i >= LEAVES; i--) push_back(v, i);
        double allowed = largest(v) * (dtype == HG_F64 ? 1e-13 : 1e-5);
        test_close(last->tensor, HG_SHAPE(N), last->value, allowed, 0);
        if (!hg_requires_grad(last->tensor)) {      /* it happens to come from the frozen leaf alone */
            hg_scope_end(s);
            continue;
        }
        ck_assert_hg(hg_backward(hg_sum(last->tensor, HG_ALL, false)));
        for (int i = 0; i < LEAVES; i++) {
            if (i == 0 && round % 2 == 0) {
                ck_assert_ptr_null(hg_grad(v[i].tensor));
                continue;
            }
            double zero[N] = {0};
            bool reached = hg_grad(v[i].tensor) != NULL;
            if (!reached)
                ck_assert(!memcmp(v[i].grad, zero, sizeof zero));
            else
                test_close(hg_grad(v[i].tensor), HG_SHAPE(N), v[i].grad, allowed, 0);
        }
        hg_scope_end(s);
    }
}
END_TEST

Suite *graphs_suite(void)
{
    return TEST_SUITE("graphs", random_graphs_have_the_gradients_of_plain_double);
}
