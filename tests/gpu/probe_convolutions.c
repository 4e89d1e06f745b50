/* Every solver of convolutions, in each configuration and direction that it takes, against the definition. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "conv/candidates.h"
#include "conv_reference.h"
#include "hapgop/nn.h"
#include "probe.h"

static void run_plan(const hg_conv_plan *plan, double *const v[4], int result, const double *expected)
{
    const hg_conv_problem *p = &plan->problem;
    const int64_t n[4] = {hg_conv_input_numel(p), hg_conv_weight_numel(p), hg_conv_output_numel(p), p->outputs};
    hg_tensor *t[4];
    char key[HG_CONV_KEY];
    bool outermost;
    hg_scope *s = hg_scope_begin(test_device());
    for (int k = 0; k < 4; k++) t[k] = test_tensor(HG_F32, HG_SHAPE(n[k]), v[k]);
    ck_assert_hg(hg_fill_(t[result], NAN));
    const hg_conv_buffers b = {.input = t[0], .weight = t[1], .output = t[2], .bias = t[3]};
    ck_assert_hg(hg_device_enter(test_device(), &outermost));
    hg_status status = hg_conv_run_plan(test_device(), plan, &b);
    hg_device_leave(test_device(), outermost);
    ck_assert_msg(status == HG_OK, "%s of %s: %s", hg_conv_key(p, key), plan->solver->name, hg_last_error());
    test_rms(t[result], HG_SHAPE(n[result]), expected, 1e-5);
    hg_scope_end(s);
}

static void run_direction(const hg_conv_problem *p, const hg_conv_solver *const *solvers)
{
    const int64_t n[4] = {hg_conv_input_numel(p), hg_conv_weight_numel(p), hg_conv_output_numel(p), p->outputs};
    const int result = p->direction == HG_CONV_FORWARD ? 2 : p->direction == HG_CONV_BACKWARD_DATA ? 0 : 1;
    double *v[4], *computed[3];
    hg_conv_candidate *list;
    int count;
    for (int k = 0; k < 4; k++) v[k] = test_integers(n[k], 3);
    for (int k = 0; k < 3; k++) computed[k] = k == result ? test_values(n[k]) : v[k];
    test_conv_reference(p, computed[0], computed[1], computed[2]);
    for (int64_t i = 0; i < n[2] && p->epilogue & HG_CONV_BIAS; i++)
        computed[2][i] += v[3][i / hg_conv_output_area(p) % p->outputs];
    ck_assert_hg(hg_conv_candidates(test_device(), p, &list, &count));
    for (int i = 0; i < count; i++)
        for (int k = 0; solvers[k]; k++)
            if (list[i].plan.solver == solvers[k] && !*list[i].why) run_plan(&list[i].plan, v, result, computed[result]);
    free(list);
    free(computed[result]);
    for (int k = 0; k < 4; k++) free(v[k]);
}

/* Nothing is kept of these: the definition is plain C. */
static void run(const char *text, const hg_conv_solver *const *solvers)
{
    for (int direction = 0; direction < 3 && !probe_writes(); direction++) {
        hg_conv_problem p;
        ck_assert_hg(hg_conv_parse(text, &p));
        p.direction = direction;
        if (direction != HG_CONV_FORWARD) p.epilogue = 0;
        run_direction(&p, solvers);
    }
}

START_TEST(by_products)
{
    static const hg_conv_solver *const solvers[] = {&hg_conv_im2col, &hg_conv_implicit_gemm, NULL};
    run("fwd 1x8x16x16 32x3x3 p1x1 bias", solvers);
    run("fwd 2x4x16x16 32x1x1 bias", (const hg_conv_solver *const[]){&hg_conv_gemm_1x1, NULL});
    run("fwd 2x4x16x16 32x1x1 s2x2", (const hg_conv_solver *const[]){&hg_conv_gemm_1x1, NULL});
}
END_TEST

START_TEST(by_tiles)
{
    static const hg_conv_solver *const solvers[] = {&hg_conv_winograd_f4x4, &hg_conv_winograd_f2x2, NULL};
    run("fwd 2x8x16x16 16x3x3 p1x1 bias", solvers);
    run("fwd 2x8x128 16x3 p1 bias", solvers);
}
END_TEST

START_TEST(by_the_definition)
{
    static const hg_conv_solver *const solvers[] = {&hg_conv_direct, &hg_conv_depthwise, NULL};
    run("fwd 1x4x16x16 8x3x3 p1x1 bias", solvers);
    run("fwd 2x4x32x32 4x3x3 p1x1 g4 bias", (const hg_conv_solver *const[]){&hg_conv_depthwise, NULL});
}
END_TEST

START_TEST(by_fourier_transforms)
{
    /* clFFT's own kernels are slow to interpret. */
    run("fwd 1x2x12x12 2x3x3 bias", (const hg_conv_solver *const[]){&hg_conv_fft, NULL});
}
END_TEST

/* The bias's gradient; batch norm folded into a weight when a network is compiled. */
START_TEST(around_them)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_conv_options o = HG_CONV_DEFAULTS;
    hg_tensor *x = probe_leaf(HG_SHAPE(4, 2, 32, 32)), *w = probe_leaf(HG_SHAPE(4, 2, 1, 1)), *b = probe_leaf(HG_SHAPE(4));
    ck_assert_int_eq(setenv("HAPGOP_CONV", "direct", 1), 0);
    hg_tensor *y = hg_conv2d(x, w, b, &o);
    probe_backward(y);
    probe_result(y, 1e-6);
    probe_result(hg_grad(b), 1e-5);
    hg_module *net = hg_sequential(test_device());
    ck_assert_hg(hg_manual_seed(test_device(), 0, HG_RNG_TORCH));
    ck_assert_hg(hg_append(net, hg_conv2d_module(test_device(), 2, 64, 3, 3, &o, true)));
    ck_assert_hg(hg_append(net, hg_batch_norm2d_module(test_device(), 64, NULL)));
    hg_eval(net);
    hg_module *fast = hg_compile(net, NULL);
    ck_assert_msg(fast != NULL, "%s", hg_last_error());
    probe_result(hg_forward(fast, probe_tensor(HG_SHAPE(1, 2, 8, 8))), 1e-6);
    unsetenv("HAPGOP_CONV");
    hg_module_free(fast);
    hg_module_free(net);
    hg_scope_end(s);
}
END_TEST

Suite *probe_convolutions_suite(void)
{
    return TEST_SUITE("convolutions", by_products, by_tiles, by_the_definition, by_fourier_transforms, around_them);
}
