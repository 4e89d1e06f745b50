/* Less memory for activations: a batch in parts whose gradients add up, and modules that run again in backward. */
#include <stdlib.h>
#include <string.h>

#include "hapgop/optim.h"
#include "nn/module.h"
#include "suites.h"
#include "tensor/tensor.h"

/* ---- a batch in parts ---- */

/* In an open scope. */
static hg_module *plain_network(void)
{
    hg_device *dev = test_device();
    hg_module *m = hg_sequential(dev);
    ck_assert_hg(hg_append(m, hg_conv2d_module(dev, 2, 4, 3, 3, NULL, true)));
    ck_assert_hg(hg_append(m, hg_relu_module(dev, false)));
    ck_assert_hg(hg_append(m, hg_flatten_module(dev, 1, -1)));
    ck_assert_hg(hg_append(m, hg_linear_module(dev, 4 * 4 * 4, 2, true)));
    for (int i = 0; i < 4; i += 3) { /* small integers: sums are exact in any order */
        const char *names[] = {i ? "3.weight" : "0.weight", i ? "3.bias" : "0.bias"};
        for (int k = 0; k < 2; k++) {
            hg_tensor *p = hg_parameter(m, names[k]);
            double *v = test_integers(hg_numel(p), 3);
            hg_tensor *t = test_tensor(HG_F32, hg_tensor_shape(p), v);
            ck_assert_hg(hg_copy_(p, t));
            free(v);
        }
    }
    return m;
}

static void add_gradients(hg_module *m, hg_tensor *x, hg_tensor *target, double share)
{
    hg_tensor *loss = hg_mse_loss(hg_forward(m, x), target, HG_REDUCE_MEAN);
    ck_assert_hg(hg_backward(share < 1 ? hg_mul_scalar(loss, share) : loss));
}

static bool keep(const char *name, hg_tensor *t, bool is_buffer, void *user)
{
    (void)name;
    (void)is_buffer;
    double ***next = user;
    *(*next)++ = test_read(hg_grad(t));
    ck_assert_hg(hg_set_grad(t, NULL));
    return true;
}

START_TEST(gradients_of_parts_add_up_to_those_of_the_batch)
{
    enum { BATCH = 8, PARAMETERS = 4 };
    static const int64_t sizes[PARAMETERS] = {4 * 2 * 9, 4, 2 * 64, 2};
    hg_scope *s = hg_scope_begin(test_device());
    hg_module *m = plain_network();
    double *v = test_integers(BATCH * 2 * 36, 2), *w = test_integers(BATCH * 2, 4), *whole[PARAMETERS],
           *parts[PARAMETERS];
    hg_tensor *x = test_tensor(HG_F32, HG_SHAPE(BATCH, 2, 6, 6), v),
              *target = test_tensor(HG_F32, HG_SHAPE(BATCH, 2), w);
    add_gradients(m, x, target, 1);
    hg_each_parameter(m, keep, &(double **){whole});
    for (int64_t i = 0; i < BATCH; i += 2)
        add_gradients(m, hg_slice(x, 0, i, i + 2, 1), hg_slice(target, 0, i, i + 2, 1), 0.25);
    hg_each_parameter(m, keep, &(double **){parts});
    for (int i = 0; i < PARAMETERS; i++) {
        ck_assert_mem_eq(whole[i], parts[i], sizeof(double) * (size_t)sizes[i]);
        free(whole[i]);
        free(parts[i]);
    }
    free(v);
    free(w);
    hg_scope_end(s);
    hg_module_free(m);
}
END_TEST

/* ---- modules that run again ---- */

enum { BATCH = 4, LAYERS = 12 };

static hg_module *deep_network(void)
{
    hg_device *dev = test_device();
    hg_module *m = hg_sequential(dev);
    hg_conv_options o = HG_CONV_DEFAULTS;
    o.padding[0] = o.padding[1] = 1;
    for (int i = 0; i < 2; i++) {
        ck_assert_hg(hg_append(m, hg_conv2d_module(dev, i ? 8 : 2, 8, 3, 3, &o, true)));
        ck_assert_hg(hg_append(m, hg_batch_norm2d_module(dev, 8, NULL)));
        ck_assert_hg(hg_append(m, hg_relu_module(dev, true)));
        ck_assert_hg(hg_append(m, i ? hg_dropout2d_module(dev, 0.5) : hg_dropout_module(dev, 0.25)));
    }
    ck_assert_hg(hg_append(m, hg_max_pool2d_module(dev, NULL)));
    ck_assert_hg(hg_append(m, hg_flatten_module(dev, 1, -1)));
    ck_assert_hg(hg_append(m, hg_dropout_module(dev, 0.5)));
    ck_assert_hg(hg_append(m, hg_linear_module(dev, 8 * 8 * 8, 3, true)));
    ck_assert_int_eq(m->child_count, LAYERS);
    return m;
}

static hg_tensor *images(void)
{
    return hg_rand(test_device(), HG_SHAPE(BATCH, 2, 16, 16));
}

static hg_tensor *loss_of(hg_module *m, hg_tensor *x)
{
    hg_tensor *labels = test_tensor(HG_I64, HG_SHAPE(BATCH), (double[]){0, 2, 1, 2});
    return hg_cross_entropy(hg_forward(m, x), labels, NULL);
}

/* Three steps; state and the generator's place after. */
typedef struct outcome {
    double *state[32], next;
    int64_t size[32];
    int count;
} outcome;

static bool note_state(const char *name, hg_tensor *t, bool is_buffer, void *user)
{
    (void)name;
    (void)is_buffer;
    outcome *o = user;
    o->size[o->count] = hg_numel(t);
    o->state[o->count++] = test_read(t);
    return true;
}

typedef void (*prepare_fn)(hg_module *m);

static outcome train(hg_rng_kind kind, prepare_fn prepare)
{
    outcome o = {.count = 0};
    ck_assert_hg(hg_manual_seed(test_device(), 5, kind));
    hg_scope *s = hg_scope_begin(test_device());
    hg_module *m = deep_network();
    hg_optimizer *opt = hg_adam(m, NULL);
    prepare(m);
    for (int step = 0; step < 3; step++) {
        hg_scope *inner = hg_scope_begin(test_device());
        hg_zero_grad(opt);
        ck_assert_hg(hg_backward(loss_of(m, images())));
        ck_assert_hg(hg_step(opt));
        hg_scope_end(inner);
    }
    hg_each_state(m, note_state, &o);
    o.next = hg_item(hg_rand(test_device(), HG_SHAPE(1)));
    hg_optimizer_free(opt);
    hg_module_free(m);
    hg_scope_end(s);
    return o;
}

static void nothing(hg_module *m)
{
    (void)m;
}

static void one_range(hg_module *m)
{
    ck_assert_hg(hg_recompute_range(m, 0, LAYERS - 1));
}

static void two_ranges(hg_module *m)
{
    ck_assert_hg(hg_recompute_range(m, 0, 4));
    ck_assert_hg(hg_recompute_range(m, -8, 5));
}

static void within(hg_module *m)
{
    one_range(m);
    ck_assert_hg(hg_recompute_range(m, 3, 4));
    ck_assert_int_eq(hg_recompute(m, "11", true), 1);
}

static void all_of_it(hg_module *m)
{
    ck_assert_int_eq(hg_recompute(m, "", true), 1);
}

static void taken_back(hg_module *m)
{
    two_ranges(m);
    ck_assert_int_eq(hg_recompute(m, NULL, false), LAYERS + 1);
    for (int i = 0; i < LAYERS; i++) ck_assert_int_eq(hg_at(m, i)->recompute, 0);
}

START_TEST(a_training_is_the_same_bit_for_bit)
{
    static const prepare_fn ways[] = {one_range, two_ranges, within, all_of_it, taken_back};
    for (int kind = HG_RNG_PHILOX; kind <= HG_RNG_TORCH; kind++) {
        outcome plain = train(kind, nothing);
        for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
            outcome o = train(kind, ways[w]);
            ck_assert_int_eq(o.count, plain.count);
            ck_assert_msg(o.next == plain.next, "way %zu leaves the generator elsewhere", w);
            for (int i = 0; i < o.count; i++) {
                ck_assert_msg(!memcmp(o.state[i], plain.state[i], sizeof(double) * (size_t)o.size[i]),
                              "way %zu, generator %d: tensor %d differs", w, kind, i);
                free(o.state[i]);
            }
        }
        for (int i = 0; i < plain.count; i++) free(plain.state[i]);
    }
    ck_assert_hg(hg_manual_seed(test_device(), 0, HG_RNG_PHILOX));
}
END_TEST

/* What the graph keeps between the passes. */
static uint64_t kept_by(hg_module *m)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = images();
    uint64_t before = test_memory();
    hg_tensor *loss = loss_of(m, x);
    ck_assert_hg_ok(loss);
    uint64_t kept = test_memory() - before;
    ck_assert_hg(hg_backward(loss));
    hg_scope_end(s);
    return kept;
}

START_TEST(activations_are_not_kept)
{
    enum { MAP = BATCH * 8 * 16 * 16 * 4 }; /* bytes that a layer gives */
    hg_module *m = deep_network();
    kept_by(m);
    uint64_t plain = kept_by(m);
    two_ranges(m);
    uint64_t two = kept_by(m);
    one_range(m);
    uint64_t one = kept_by(m);
    ck_assert_uint_ge(plain, 4 * MAP);
    ck_assert_uint_lt(two, 2 * MAP); /* what goes from one to the other */
    ck_assert_uint_lt(one, MAP / 2);
    hg_module_free(m);
}
END_TEST

START_TEST(the_inputs_gradient_and_a_second_walk)
{
    double *dx[2];
    hg_module *m = deep_network();
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = images();
    ck_assert_hg(hg_set_requires_grad(x, true));
    for (int way = 0; way < 2; way++) {
        ck_assert_hg(hg_manual_seed(test_device(), 9, HG_RNG_PHILOX));
        if (way) two_ranges(m);
        hg_tensor *loss = loss_of(m, x);
        ck_assert_hg(hg_backward_with(loss, NULL, true));
        ck_assert_hg(hg_backward(loss)); /* adds the same again */
        dx[way] = test_read(hg_grad(x));
        ck_assert_hg(hg_set_grad(x, NULL));
    }
    ck_assert_mem_eq(dx[0], dx[1], sizeof(double) * BATCH * 2 * 16 * 16);
    free(dx[0]);
    free(dx[1]);
    hg_scope_end(s);
    hg_module_free(m);
}
END_TEST

START_TEST(what_is_frozen_gets_no_gradient)
{
    hg_module *m = deep_network();
    hg_scope *s = hg_scope_begin(test_device());
    one_range(m);
    ck_assert_int_eq(hg_module_requires_grad(m, "0.*,1.*", false), 4);
    ck_assert_hg(hg_backward(loss_of(m, images())));
    ck_assert_ptr_null(hg_grad(hg_parameter(m, "0.weight")));
    ck_assert_ptr_nonnull(hg_grad(hg_parameter(m, "4.weight")));
    hg_module_requires_grad(m, NULL, false);
    ck_assert(!hg_requires_grad(hg_forward(m, images())));
    hg_scope_end(s);
    hg_module_free(m);
}
END_TEST

/* A module that multiplies with a tensor that it does not own. */
static hg_tensor *borrowed;
static hg_tensor *borrower_forward(hg_module *m, hg_tensor *x)
{
    (void)m;
    return hg_mul(x, borrowed);
}

START_TEST(what_cannot_run_again_is_told)
{
    static const hg_module_class borrower = {.name = "Borrower", .forward = borrower_forward};
    hg_module *m = deep_network(), *other = hg_module_new(test_device(), &borrower);
    hg_scope *s = hg_scope_begin(test_device());
    ck_assert_hg(hg_recompute_range(m, 2, 3));
    ck_assert(!hg_ok(loss_of(m, images())));
    test_error(HG_E_STATE, "ReLU changes its input in place");
    ck_assert_hg(hg_recompute_range(m, 2, 0));
    one_range(m);
    hg_tensor *loss = loss_of(m, images());
    ck_assert_hg(hg_fill_(hg_parameter(m, "4.bias"), 0));
    ck_assert_int_eq(hg_backward(loss), HG_E_STATE);
    test_error(HG_E_STATE, "modified by an inplace");
    borrowed = hg_full(test_device(), HG_F32, HG_SCALAR, 2);
    ck_assert_hg(hg_set_requires_grad(borrowed, true));
    ck_assert_hg(hg_add_parameter(other, "own", hg_zeros_like(borrowed)));
    hg_recompute(other, NULL, true);
    ck_assert_int_eq(hg_backward(hg_sum(hg_forward(other, images()), HG_ALL, false)), HG_E_STATE);
    test_error(HG_E_STATE, "is no parameter of it; hg_add_parameter() it");
    ck_assert_int_eq(hg_recompute_range(m, 9, 4), HG_E_ARG);
    test_error(HG_E_ARG, "4 children from 9 on; the Sequential has 12");
    ck_assert_int_eq(hg_recompute_range(m, 12, 0), HG_E_ARG);
    test_error(HG_E_ARG, "index 12 is out of range");
    hg_scope_end(s);
    hg_module_free(m);
    hg_module_free(other);
}
END_TEST

Suite *memory_suite(void)
{
    return TEST_SUITE("memory", gradients_of_parts_add_up_to_those_of_the_batch, a_training_is_the_same_bit_for_bit,
                      activations_are_not_kept, the_inputs_gradient_and_a_second_walk, what_is_frozen_gets_no_gradient,
                      what_cannot_run_again_is_told);
}
