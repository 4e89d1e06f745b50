/* Optimizers against PyTorch's trajectories, and their rules for missing gradients, bad data and bad options. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cl/fault.h"
#include "optim/optim.h"
#include "suites.h"
#include "tensor/tensor.h"

/* Gradients as tests/oracle/optim.py sets them before step `step` (from 1). */
static void set_grads(hg_module *m, int step)
{
    test_set_grad(hg_parameter(m, "a"), 10 * step);
    if (step % 3 == 1)
        test_set_grad(hg_parameter(m, "b"), 10 * step + 1);
    else
        ck_assert_hg(hg_set_grad(hg_parameter(m, "b"), NULL));
}

static hg_module *frozen_box(void)
{
    hg_module *m = test_box(HG_F32);
    ck_assert_int_eq(hg_module_requires_grad(m, "c", false), 1);
    return m;
}

static void compare(const double *now, const double *expected, const char *golden, int step, double limit)
{
    for (int i = 0; i < TEST_BOX; i++)
        ck_assert_msg(fabs(now[i] - expected[i]) <= 1e-7 + limit * fabs(expected[i]),
                      "%s, step %d, element %d: %.9g, not %.9g", golden, step, i, now[i], expected[i]);
}

static void follow(const char *golden, hg_module *m, hg_optimizer *opt)
{
    hg_shape shape;
    double *expected = test_golden_values(golden, &shape), now[TEST_BOX];
    ck_assert_int_eq(test_numel(shape), 3 * TEST_BOX);
    ck_assert_msg(opt != NULL, "%s", hg_last_error());
    for (int step = 1, row = 0; step <= 100; step++) {
        set_grads(m, step);
        ck_assert_hg(hg_step(opt));
        if (step != 1 && step != 10 && step != 100) continue;
        test_read_box(m, now);
        compare(now, expected + row++ * TEST_BOX, golden, step, step == 1 ? 2e-7 : 1e-6);
    }
    free(expected);
    hg_optimizer_free(opt);
    hg_module_free(m);
}

static void follow_adam(const char *golden, bool decoupled, hg_adam_options o)
{
    hg_module *m = frozen_box();
    follow(golden, m, decoupled ? hg_adamw(m, &o) : hg_adam(m, &o));
}

static void follow_sgd(const char *golden, hg_sgd_options o)
{
    hg_module *m = frozen_box();
    follow(golden, m, hg_sgd(m, &o));
}

START_TEST(adam_follows_pytorch_for_100_steps)
{
    hg_module *m = frozen_box();
    follow("optim/adam", m, hg_adam(m, NULL));
    follow_adam("optim/adam_decay", false, (hg_adam_options){0.01, 0.8, 0.99, 1e-6, 0.1, false});
    follow_adam("optim/adam_amsgrad", false, (hg_adam_options){0.01, 0.9, 0.999, 1e-8, 0, true});
}
END_TEST

START_TEST(adamw_follows_pytorch_for_100_steps)
{
    follow_adam("optim/adamw", true, (hg_adam_options){0.01, 0.9, 0.999, 1e-8, 0.1, false});
    hg_adam_options o = HG_ADAMW_DEFAULTS;
    o.amsgrad = true;
    follow_adam("optim/adamw_amsgrad", true, o);
}
END_TEST

START_TEST(sgd_follows_pytorch_for_100_steps)
{
    follow_sgd("optim/sgd", (hg_sgd_options){0.01, 0, 0, 0.1, false});
    follow_sgd("optim/sgd_momentum", (hg_sgd_options){0.01, 0.9, 0.2, 0.01, false});
    follow_sgd("optim/sgd_nesterov", (hg_sgd_options){0.001, 0.9, 0, 0.01, true});
}
END_TEST

/* Adam in double, on the host. */
static void adam_reference(double *p, double *m, double *v, double g, int step)
{
    *m = 0.9 * *m + 0.1 * g;
    *v = 0.999 * *v + 0.001 * g * g;
    *p -= 1e-3 / (1 - pow(0.9, step)) * *m / (sqrt(*v) / sqrt(1 - pow(0.999, step)) + 1e-8);
}

START_TEST(double_precision_and_sizes_of_all_kinds)
{
    static const int64_t sizes[] = {0, 1, 15, 16, 1023, 1025, 40000};
    for (int f64 = 0; f64 <= test_has_f64(); f64++) {
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            int64_t n = sizes[k];
            hg_dtype dtype = f64 ? HG_F64 : HG_F32;
            hg_module *m = test_box(HG_F32);
            double *p = test_values(n), *g = test_values(n), *state = calloc((size_t)n * 2 + 1, sizeof *state);
            hg_tensor *t = test_tensor(dtype, HG_SHAPE(n), p), *grad = test_tensor(dtype, HG_SHAPE(n), g);
            ck_assert_hg(hg_add_parameter(m, "d", t));
            hg_optimizer *opt = hg_adam(m, NULL);
            ck_assert_hg(hg_set_grad(t, grad));
            for (int step = 1; step <= 3; step++) {
                ck_assert_hg(hg_step(opt));
                for (int64_t i = 0; i < n; i++) adam_reference(p + i, state + i, state + n + i, g[i], step);
            }
            test_close(t, HG_SHAPE(n), p, f64 ? 1e-14 : 1e-7, f64 ? 1e-13 : 1e-6);
            hg_optimizer_free(opt);
            hg_module_free(m);
            hg_release(grad);
            free(p);
            free(g);
            free(state);
        }
    }
}
END_TEST

START_TEST(any_strides_of_parameter_and_gradient)
{
    for (int layout = 0; layout < TEST_LAYOUTS; layout++) {
        hg_scope *s = hg_scope_begin(test_device());
        hg_module *m = test_box(HG_F32);
        double *p = test_values(6), *g = test_values(6);
        hg_tensor *t = hg_detach(test_layout(layout, HG_F32, HG_SHAPE(2, 3), p));
        ck_assert_hg(hg_add_parameter(m, "d", t));
        ck_assert_hg(hg_set_grad(t, test_layout((layout + 1) % TEST_LAYOUTS, HG_F32, HG_SHAPE(2, 3), g)));
        hg_sgd_options o = HG_SGD_DEFAULTS;
        o.lr = 0.5;
        hg_optimizer *opt = hg_sgd(m, &o);
        ck_assert_hg(hg_step(opt));
        for (int i = 0; i < 6; i++) p[i] -= 0.5 * g[i];
        test_close(t, HG_SHAPE(2, 3), p, 1e-7, 0);
        hg_optimizer_free(opt);
        hg_module_free(m);
        hg_scope_end(s);
        free(p);
        free(g);
    }
}
END_TEST

enum { MANY = 19 };

/* Parameters p00, p01 ... of these sizes, each with the first of its values. */
static hg_module *many(hg_dtype dtype, const int64_t *sizes, double *const *values)
{
    hg_module *m = hg_sequential(test_device());
    for (int k = 0; k < MANY; k++) {
        char name[8];
        snprintf(name, sizeof name, "p%02d", k);
        hg_tensor *t = test_tensor(dtype, HG_SHAPE(sizes[k]), values[k]);
        ck_assert_hg(hg_add_parameter(m, name, t));
    }
    return m;
}

static hg_optimizer *make_kind(hg_module *m, int kind)
{
    hg_adam_options adam = HG_ADAM_DEFAULTS;
    hg_sgd_options sgd = HG_SGD_DEFAULTS;
    adam.weight_decay = 0.1;
    adam.amsgrad = kind == 1;
    sgd.momentum = kind == 3 ? 0.9 : 0;
    hg_optimizer *opt = kind == 0 ? hg_adam(m, &adam) : kind == 1 ? hg_adamw(m, &adam) : hg_sgd(m, &sgd);
    ck_assert_msg(opt != NULL, "%s", hg_last_error());
    return opt;
}

/* Two optimizers over equal parameters, one with all gradients at once, one with them one after the other. */
static void compare_many(hg_dtype dtype, int kind, const int64_t *sizes, double *const *values)
{
    hg_module *all = many(dtype, sizes, values), *single = many(dtype, sizes, values);
    hg_optimizer *a = make_kind(all, kind), *b = make_kind(single, kind);
    for (int step = 1; step <= 3; step++) {
        for (int k = 0; k < MANY; k++) {
            hg_tensor *g = test_tensor(dtype, HG_SHAPE(sizes[k]), values[(k + step) % MANY]);
            ck_assert_hg(hg_set_grad(a->params[k].param, g));
            hg_zero_grad(b);
            ck_assert_hg(hg_set_grad(b->params[k].param, g));
            ck_assert_hg(hg_step(b));
            hg_release(g);
        }
        ck_assert_hg(hg_profile_begin(test_device()));
        ck_assert_hg(hg_step(a));
        if (step > 1)   /* the first makes states, too */
            ck_assert_int_eq(test_device()->profile.count, (MANY + 7) / 8);
        ck_assert_hg(hg_profile_end(test_device()));
    }
    for (int k = 0; k < MANY; k++) {
        double *expected = test_read(b->params[k].param);
        ck_assert_int_eq(a->params[k].step, 3);
        test_equal(a->params[k].param, HG_SHAPE(sizes[k]), expected);
        free(expected);
    }
    hg_optimizer_free(a);
    hg_optimizer_free(b);
    hg_module_free(all);
    hg_module_free(single);
}

START_TEST(eight_parameters_a_launch_give_what_one_a_launch_gives)
{
    enum { LARGEST = 70000 };
    int64_t sizes[MANY] = {0, LARGEST, 1, 16, 17, 1025};
    double *values[MANY];
    for (int k = 0; k < MANY; k++) {
        if (k > 5) sizes[k] = test_between(1, k % 4 ? 300 : 30000);
        values[k] = test_values(LARGEST);
    }
    for (int f64 = 0; f64 <= test_has_f64(); f64++)
        for (int kind = 0; kind < 4; kind++) compare_many(f64 ? HG_F64 : HG_F32, kind, sizes, values);
    for (int k = 0; k < MANY; k++) free(values[k]);
}
END_TEST

START_TEST(two_views_of_one_memory_step_one_after_the_other)
{
    hg_scope *s = hg_scope_begin(test_device());
    double p[6] = {1, 2, 3, 4, 5, 6}, ones[6] = {1, 1, 1, 1, 1, 1};
    hg_module *m = hg_sequential(test_device());
    hg_tensor *t = test_tensor(HG_F32, HG_SHAPE(6), p), *g = test_tensor(HG_F32, HG_SHAPE(6), ones);
    hg_tensor *again = hg_detach(t);
    ck_assert_hg(hg_add_parameter(m, "t", t));
    ck_assert_hg(hg_add_parameter(m, "again", again));
    ck_assert_hg(hg_set_grad(t, g));
    ck_assert_hg(hg_set_grad(again, g));
    hg_sgd_options o = HG_SGD_DEFAULTS;
    o.lr = 0.25;
    hg_optimizer *opt = hg_sgd(m, &o);
    ck_assert_hg(hg_profile_begin(test_device()));
    ck_assert_hg(hg_step(opt));
    ck_assert_int_eq(test_device()->profile.count, 2);
    ck_assert_hg(hg_profile_end(test_device()));
    test_equal(t, HG_SHAPE(6), ((double[]){0.5, 1.5, 2.5, 3.5, 4.5, 5.5}));
    hg_optimizer_free(opt);
    hg_module_free(m);
    hg_scope_end(s);
}
END_TEST

START_TEST(no_gradient_no_change_and_no_count)
{
    hg_module *m = test_box(HG_F32);
    hg_optimizer *opt = hg_adam(m, NULL);
    double before[TEST_BOX], after[TEST_BOX];
    test_read_box(m, before);
    ck_assert_hg(hg_step(opt));
    test_read_box(m, after);
    ck_assert_mem_eq(before, after, sizeof before);
    ck_assert_int_eq(opt->params[0].step, 0);
    ck_assert_ptr_null(opt->params[0].state[0]);
    hg_tensor *zero = hg_zeros_like(hg_parameter(m, "a"));      /* a zero gradient is a gradient */
    ck_assert_hg(hg_set_grad(hg_parameter(m, "a"), zero));
    hg_release(zero);
    ck_assert_hg(hg_step(opt));
    ck_assert_int_eq(opt->params[0].step, 1);
    ck_assert_int_eq(opt->params[1].step, 0);
    hg_zero_grad(opt);
    ck_assert_ptr_null(hg_grad(hg_parameter(m, "a")));
    hg_optimizer_free(opt);
    hg_module_free(m);
}
END_TEST

/* What cross entropy's kernel does when it meets a class that does not exist. */
static void raise_fault(void)
{
    const cl_int found[4] = {HG_FAULT_TARGET, 12, 10, 3};
    hg_device *dev = test_device();
    ck_assert_int_eq(
        clEnqueueWriteBuffer(dev->queue, hg_fault_watch(dev), CL_TRUE, 0, sizeof found, found, 0, NULL, NULL), 0);
}

static void check_fault(hg_optimizer *opt, hg_module *m)
{
    double before[TEST_BOX], after[TEST_BOX];
    ck_assert_msg(opt != NULL, "%s", hg_last_error());
    for (int k = 0; k < 3; k++) test_set_grad(hg_parameter(m, (const char *[]){"a", "b", "c"}[k]), k);
    ck_assert_hg(hg_step(opt));
    test_read_box(m, before);
    raise_fault();
    ck_assert_hg(hg_step(opt));
    ck_assert_int_eq(hg_sync(test_device()), HG_E_ARG);
    test_error(HG_E_ARG, "Target 12 is out of bounds");
    test_read_box(m, after);
    ck_assert_mem_eq(before, after, sizeof before);
    ck_assert_hg(hg_step(opt));
    test_read_box(m, after);
    ck_assert_mem_ne(before, after, sizeof before);
    hg_optimizer_free(opt);
    hg_module_free(m);
}

START_TEST(no_weight_changes_after_bad_data_was_found)
{
    hg_adam_options amsgrad = HG_ADAM_DEFAULTS;
    hg_sgd_options momentum = HG_SGD_DEFAULTS;
    amsgrad.amsgrad = true;
    momentum.momentum = 0.9;
    hg_module *m = test_box(HG_F32);
    check_fault(hg_adam(m, NULL), m);
    m = test_box(HG_F32);
    check_fault(hg_adamw(m, &amsgrad), m);
    m = test_box(HG_F32);
    check_fault(hg_sgd(m, NULL), m);
    m = test_box(HG_F32);
    check_fault(hg_sgd(m, &momentum), m);
}
END_TEST

START_TEST(a_step_counts_as_a_change_in_place)
{
    hg_module *m = test_box(HG_F32);
    hg_optimizer *opt = hg_sgd(m, NULL);
    hg_tensor *a = hg_parameter(m, "a"), *b = hg_parameter(m, "b");
    unsigned a_version = a->storage->version, b_version = b->storage->version;
    test_set_grad(a, 0);
    ck_assert_hg(hg_step(opt));
    ck_assert_uint_eq(a->storage->version, a_version + 1);
    ck_assert_uint_eq(b->storage->version, b_version);
    hg_optimizer_free(opt);
    hg_module_free(m);
}
END_TEST

START_TEST(the_learning_rate_can_be_changed_between_steps)
{
    hg_module *m = test_box(HG_F32);
    hg_optimizer *opt = hg_sgd(m, NULL), *adam = hg_adam(m, NULL);
    double before[TEST_BOX], after[TEST_BOX];
    ck_assert_double_eq(hg_learning_rate(opt), 1e-3);
    ck_assert_hg(hg_set_learning_rate(opt, 0));
    ck_assert_double_eq(hg_learning_rate(opt), 0);
    test_set_grad(hg_parameter(m, "a"), 0);
    test_read_box(m, before);
    ck_assert_hg(hg_step(opt));
    test_read_box(m, after);
    ck_assert_mem_eq(before, after, sizeof before);
    ck_assert_hg(hg_set_learning_rate(adam, 0.25));
    ck_assert_double_eq(hg_learning_rate(adam), 0.25);
    ck_assert_int_eq(hg_set_learning_rate(opt, -1), HG_E_ARG);
    test_error(HG_E_ARG, "Invalid learning rate: -1");
    ck_assert_int_eq(hg_set_learning_rate(NULL, 1), HG_E_ARG);
    test_error(HG_E_ARG, "optimizer is NULL");
    ck_assert_int_eq(hg_step(NULL), HG_E_ARG);
    test_error(HG_E_ARG, "optimizer is NULL");
    hg_optimizer_free(opt);
    hg_optimizer_free(adam);
    hg_module_free(m);
}
END_TEST

START_TEST(options_out_of_range_get_pytorchs_words)
{
    static const struct {
        hg_adam_options o;
        const char *text;
    } adam[] = {
        {{-1, 0.9, 0.999, 1e-8, 0, false}, "Invalid learning rate: -1"},
        {{NAN, 0.9, 0.999, 1e-8, 0, false}, "Invalid learning rate: nan"},
        {{1, 1, 0.999, 1e-8, 0, false}, "Invalid beta parameter at index 0: 1"},
        {{1, 0.9, 1.5, 1e-8, 0, false}, "Invalid beta parameter at index 1: 1.5"},
        {{1, 0.9, 0.999, -1, 0, false}, "Invalid epsilon value: -1"},
        {{1, 0.9, 0.999, 1e-8, -0.5, false}, "Invalid weight_decay value: -0.5"},
    };
    static const struct {
        hg_sgd_options o;
        const char *text;
    } sgd[] = {
        {{-1, 0, 0, 0, false}, "Invalid learning rate: -1"},
        {{1, -0.5, 0, 0, false}, "Invalid momentum value: -0.5"},
        {{1, 0, 0, -0.5, false}, "Invalid weight_decay value: -0.5"},
        {{1, 0, 0, 0, true}, "Nesterov momentum requires a momentum and zero dampening"},
        {{1, 0.9, 0.1, 0, true}, "Nesterov momentum requires a momentum and zero dampening"},
    };
    hg_module *m = test_box(HG_F32);
    for (size_t i = 0; i < sizeof adam / sizeof *adam; i++) {
        ck_assert_ptr_null(i % 2 ? hg_adamw(m, &adam[i].o) : hg_adam(m, &adam[i].o));
        test_error(HG_E_ARG, adam[i].text);
    }
    for (size_t i = 0; i < sizeof sgd / sizeof *sgd; i++) {
        ck_assert_ptr_null(hg_sgd(m, &sgd[i].o));
        test_error(HG_E_ARG, sgd[i].text);
    }
    ck_assert_ptr_null(hg_adam(NULL, NULL));
    test_error(HG_E_ARG, "module is NULL");
    ck_assert_int_eq(hg_module_requires_grad(m, "*", false), 3);
    ck_assert_ptr_null(hg_adam(m, NULL));
    test_error(HG_E_ARG, "optimizer got an empty parameter list");
    hg_module_free(m);
}
END_TEST

START_TEST(freeing_gives_everything_back_in_any_order)
{
    hg_memory_info before, after;
    ck_assert_hg(hg_sync(test_device()));
    ck_assert_hg(hg_memory_get_info(test_device(), &before));
    hg_module *m = test_box(HG_F32);
    hg_optimizer *opt = hg_adam(m, NULL);
    test_set_grad(hg_parameter(m, "a"), 0);
    hg_module_free(m);
    ck_assert_hg(hg_step(opt));     /* it holds its parameters */
    hg_optimizer_free(opt);
    hg_optimizer_free(NULL);
    ck_assert_hg(hg_memory_get_info(test_device(), &after));
    ck_assert_uint_eq(after.in_use, before.in_use);
}
END_TEST

Suite *optimizer_suite(void)
{
    return TEST_SUITE("optimizer", adam_follows_pytorch_for_100_steps, adamw_follows_pytorch_for_100_steps,
                      sgd_follows_pytorch_for_100_steps, double_precision_and_sizes_of_all_kinds,
                      any_strides_of_parameter_and_gradient, eight_parameters_a_launch_give_what_one_a_launch_gives,
                      two_views_of_one_memory_step_one_after_the_other, no_gradient_no_change_and_no_count,
                      no_weight_changes_after_bad_data_was_found, a_step_counts_as_a_change_in_place,
                      the_learning_rate_can_be_changed_between_steps, options_out_of_range_get_pytorchs_words,
                      freeing_gives_everything_back_in_any_order);
}
