/* Every solver in every direction against the definition in double: exactly on small integers, by the RMS metric on
 * random data; epilogues; the same bits twice. Winograd's transforms round: they are held to the metric alone. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "checks.h"

/* Batches of 0, 1, 2 and 5; every kernel, stride, padding and dilation of the grid; one and two dimensions and three;
 * groups and depthwise; strides larger than the kernel; rows shorter than a vector, as long, and longer. */
static const char *const shapes[] = {
    "fwd 1x1x3x3 1x2x2",
    "fwd 5x3x8x8 4x3x3 p1x1 bias",
    "fwd 2x1x28x28 32x3x3 p1x1 bias",
    "fwd 2x32x14x14 64x3x3",
    "fwd 0x3x8x8 4x3x3",
    "fwd 2x0x8x8 4x3x3 bias",
    "fwd 1x5x4x6 7x1x1 bias relu",
    "fwd 2x16x1x1 24x1x1",
    "fwd 2x9x5x6 7x1x1 p0:2x0:3",
    "fwd 2x3x33x17 5x1x1 s2x2",
    "fwd 5x12x9x40 20x1x1 g4 bias residual relu",
    "fwd 3x20x5x7 9x1x1 p2x1 residual",
    "fwd 2x33x40x66 18x1x1 s2x2 bias relu",
    "fwd 2x6x21x39 4x1x1 s3x2 p1x2 g2",
    "fwd 5x40x7x7 48x1x1",
    "fwd 2x3x5x6x7 4x1x1x1 s2x1x3 p0x1x0",
    "fwd 3x7x50 5x1 s2 bias",
    "fwd 2x3x17x33 9x5x5 s2x2 p2x2",
    "fwd 1x3x31x29 8x7x7 s2x2 p3x3 residual relu",
    "fwd 1x2x24x25 3x11x11 s3x3 p3x2",
    "fwd 2x4x16x40 4x4x4 s1x1 p2x1 d2x2",
    "fwd 2x4x19x50 12x2x3 s3x2 p0x3 d1x2",
    "fwd 2x3x20x20 3x2x2 s3x3",
    "fwd 1x3x9x70 3x1x1 s3x3",
    "fwd 2x6x9x9 9x3x3 p1x1 g3 bias",
    "fwd 2x8x12x12 8x3x3 p1x1 g8 bias",
    "fwd 2x8x13x13 16x3x3 s2x2 p1x1 g8",
    "fwd 1x10x8x8 10x3x3 p1x1 g2 d2x1",
    "fwd 5x3x19x23 6x5x5 s2x1 p2x0:1 d1x2 g3 bias residual relu",
    "fwd 2x4x40x37 4x3x5 s3x2 p1x2 d2x3 g4",
    "fwd 1x2x70x300 4x3x3 p1x1 g2",
    "fwd 2x2x90x130 2x7x7 s2x2 p3x3 g2",
    "fwd 2x5x1x1 10x3x3 p1x1 g5 relu",
    "fwd 3x3x6x7x9 6x3x2x3 s2x1x2 p1x1x0 d1x2x1 g3",
    "fwd 2x2x41 6x4 s5 p7:1 d3 g2 bias",
    "fwd 2x3x8x9 4x2x4 p0:1x1:2 bias",
    "fwd 2x3x8x8 4x2x2 p0:1x0:1 d3x1",
    "fwd 1x3x2x2 2x3x3 p3x3",
    "fwd 5x4x100 6x3 p1 bias",
    "fwd 2x4x37 6x5 s3 p2 d2 g2",
    "fwd 2x1x10x9x8 6x1x2x3 s1x2x1 p0x1x2 bias",
    "fwd 1x4x5x6x7 4x3x3x3 s2x2x2 p1x1x1 g2",
};

START_TEST(small_integers_are_exact_by_every_solver)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) check_key(shapes[i], true);
}
END_TEST

static hg_conv_problem random_problem(void)
{
    static const int kernels[] = {1, 2, 3, 4, 5, 7, 11};
    static const int batches[] = {1, 2, 5};
    hg_conv_problem p = {.rank = (int32_t)test_between(1, 3), .batch = batches[test_between(0, 2)]};
    p.groups = test_between(0, 2) ? 1 : test_between(1, 6);
    p.channels = p.groups * test_between(1, p.groups > 1 ? 3 : 9);
    p.outputs = p.groups * test_between(1, p.groups > 1 ? 3 : 18);
    p.epilogue = (int32_t)test_between(0, 7);
    for (int d = 0; d < p.rank; d++) {
        p.kernel[d] = kernels[test_between(0, p.rank == 3 ? 3 : 6)];
        p.stride[d] = test_between(1, 3);
        p.begin[d] = test_between(0, 3);
        p.end[d] = test_between(0, 2) ? p.begin[d] : test_between(0, 3);
        p.dilation[d] = test_between(1, 2);
        int64_t least = p.dilation[d] * (p.kernel[d] - 1) + 1 - p.begin[d] - p.end[d];
        p.size[d] = test_between(least > 1 ? least : 1, (least > 1 ? least : 1) + (d == p.rank - 1 ? 20 : 4));
    }
    return p;
}

/* What implicit-gemm cuts: panels of outputs and tiles of pixels in part, blocks of rows and of columns, several blocks
 * and images in a sum, phases of a stride with and without taps, in every rank. */
static const char *const blocked[] = {
    "fwd 3x67x9x11 35x3x3 s2x2 p1x1 bias",
    "fwd 9x40x7x7 64x3x3 s2x2 p1x1 relu",
    "fwd 2x5x7x300 18x3x5 s1x4 p1x2 d1x3",
    "fwd 2x7x40x9 17x1x1 s5x4 bias residual relu",
    "fwd 2x34x13x6 68x3x2 s2x3 p2x0 g2 bias residual relu",
    "fwd 1x3x16x18 20x2x5 s4x6 p1x0:2 d3x2",
    "fwd 1x2x5000 3x9 s2 p4",
    "fwd 33x16x90 33x5 p1 bias",
    "fwd 2x6x9x9x9 18x3x3x3 s2x1x3 p1x1x1",
    "fwd 3x4x5x6x40 40x2x3x1 s3x2x2 p0x1x0 d1x2x1 residual",
};

START_TEST(blocks_of_implicit_gemm_cover_images_of_any_size)
{
    for (size_t i = 0; i < sizeof blocked / sizeof *blocked; i++) check_key(blocked[i], true);
}
END_TEST

/* What lines cuts: panels of four and of six outputs in part, blocks of rows, lines of pixels in whole tiles, half ones
 * and single vectors, remainders by the stride, in every rank. */
static const char *const lined[] = {
    "fwd 3x6x14x14 16x5x5 bias",
    "fwd 2x3x30x33 7x7x7 s2x2 p3x3 bias residual relu",
    "fwd 3x5x9x8 6x3x3 p1x1 g1 relu",
    "fwd 2x4x7x300 11x3x5 s1x4 p1x2 d1x3 residual",
    "fwd 2x7x40x9 3x1x1 s5x4 bias",
    "fwd 2x34x13x6 12x3x2 s2x3 p2x0 g2 bias residual relu",
    "fwd 1x2x5000 3x9 p4",
    "fwd 2x6x9x9x9 18x3x3x3 s2x1x3 p1x1x1",
    "fwd 33x4x1x1 5x3x3 p1x1",
};

START_TEST(lines_cover_images_of_any_size)
{
    for (size_t i = 0; i < sizeof lined / sizeof *lined; i++) check_key(lined[i], true);
}
END_TEST

/* Smaller blocks, fewer slices, and refusal below that. */
START_TEST(implicit_gemm_keeps_to_the_workspace)
{
    hg_conv_problem p;
    ck_assert_hg(hg_conv_parse("fwd 5x20x18x41 36x3x3 s2x1 p1x1 bias", &p));
    for (p.workspace_limit = 40000; p.workspace_limit < 1500000; p.workspace_limit *= 2) check(&p, true);
}
END_TEST

START_TEST(random_problems_are_exact_on_integers)
{
    for (int i = 0; i < 40; i++) {
        hg_conv_problem p = random_problem();
        check(&p, true);
    }
}
END_TEST

START_TEST(random_data_stays_within_the_error_of_a_sum)
{
    check_key("fwd 2x256x7x7 32x3x3 p1x1", false);
    check_key("fwd 5x16x30x30 16x3x3 p1x1", false);
    for (int i = 0; i < 15; i++) {
        hg_conv_problem p = random_problem();
        check(&p, false);
    }
}
END_TEST

START_TEST(doubles_are_computed_as_doubles)
{
    if (!test_has_f64()) return;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i += 3) {
        hg_conv_problem p;
        ck_assert_hg(hg_conv_parse(shapes[i], &p));
        p.dtype = HG_F64;
        check(&p, false);
    }
}
END_TEST

/* A padding and a stride that need 64-bit indices, though the tensors are small. */
START_TEST(indices_of_64_bits_are_computed_where_they_are_needed)
{
    hg_conv_problem p;
    ck_assert_hg(hg_conv_parse("fwd 1x3x9x9 4x3x3 s1x1100000000 p0x1:2147483000 bias", &p));
    ck_assert(hg_conv_wide(&p));
    ck_assert_int_eq(hg_conv_output(&p, 1), 2);
    check(&p, true);
}
END_TEST

/* Chunks of one image and of a few, whose number does not divide the batch: sums over chunks go on where they were. */
START_TEST(a_small_workspace_changes_no_result)
{
    static const char *const keys[] = {"fwd 5x6x10x11 7x3x3 p1x1 g1 bias residual relu", "fwd 5x6x10x11 8x3x3 p1x1 g2",
                                       "fwd 5x6x10x11 7x1x1"};
    for (int i = 0; i < 3; i++) {
        hg_conv_problem p;
        ck_assert_hg(hg_conv_parse(keys[i], &p));
        for (p.workspace_limit = 26000; p.workspace_limit < 120000; p.workspace_limit += 30000) check(&p, true);
    }
}
END_TEST

START_TEST(the_same_problem_twice_gives_the_same_bits)
{
    for (int direction = 0; direction < 3; direction++) {
        hg_conv_problem p;
        ck_assert_hg(hg_conv_parse("fwd 5x12x14x14 20x3x3 p1x1", &p));
        p.direction = direction;
        data d = make_data(&p, false);
        for (const hg_conv_solver *const *s = hg_conv_solvers(); *s; s++) {
            if (!can(*s, &p) || is_slow_to_plan(*s)) continue;
            strcpy(p.solver, (*s)->name);
            hg_scope *scope = hg_scope_begin(test_device());
            hg_tensor *first = run(&p, &d), *second = run(&p, &d);
            double *a = test_read(first), *b = test_read(second);
            ck_assert_mem_eq(a, b, sizeof *a * (size_t)hg_numel(first));
            free(a);
            free(b);
            hg_scope_end(scope);
        }
        free_data(&d);
    }
}
END_TEST

START_TEST(nan_in_the_data_stays_where_it_belongs)
{
    hg_conv_problem p;
    ck_assert_hg(hg_conv_parse("fwd 1x1x5x5 1x3x3 p1x1 bias relu", &p));
    double x[25] = {0}, w[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1}, bias[1] = {-1};
    x[0] = NAN; /* the corner: seen by outputs (0,0) (0,1) (1,0) (1,1) */
    for (const hg_conv_solver *const *s = hg_conv_solvers(); *s; s++) {
        if (!can(*s, &p) || is_slow_to_plan(*s)) continue;
        strcpy(p.solver, (*s)->name);
        hg_scope *scope = hg_scope_begin(test_device());
        data d = {x, w, x, bias, x};
        double *y = test_read(run(&p, &d));
        for (int i = 0; i < 25; i++) {
            if (i == 0 || i == 1 || i == 5 || i == 6)
                ck_assert_double_nan(y[i]);
            else
                ck_assert_double_eq(y[i], 0);
        }
        free(y);
        hg_scope_end(scope);
    }
}
END_TEST

START_TEST(gradient_of_the_bias_is_the_sum_over_images_and_area)
{
    for (int i = 0; i < 10; i++) {
        hg_conv_problem p = random_problem();
        p.epilogue = 0;
        p.batch = i ? p.batch : 0;
        int64_t n = hg_conv_output_numel(&p), area = hg_conv_output_area(&p);
        double *dy = test_integers(n, 9), *db = calloc((size_t)p.outputs, sizeof *db);
        ck_assert_ptr_nonnull(db);
        for (int64_t k = 0; k < n; k++) db[k / area % p.outputs] += dy[k];
        hg_scope *scope = hg_scope_begin(test_device());
        hg_tensor *bias = hg_full(test_device(), HG_F32, HG_SHAPE(p.outputs), NAN);
        ck_assert_hg(hg_conv_bias_gradient(&p, operand(&p, n, dy, false), bias));
        test_equal(bias, HG_SHAPE(p.outputs), db);
        hg_scope_end(scope);
        free(dy);
        free(db);
    }
}
END_TEST

Suite *solvers_suite(void)
{
    return TEST_SUITE("solvers", small_integers_are_exact_by_every_solver,
                      blocks_of_implicit_gemm_cover_images_of_any_size, lines_cover_images_of_any_size,
                      implicit_gemm_keeps_to_the_workspace, random_problems_are_exact_on_integers,
                      random_data_stays_within_the_error_of_a_sum,
                      indices_of_64_bits_are_computed_where_they_are_needed, doubles_are_computed_as_doubles,
                      a_small_workspace_changes_no_result, the_same_problem_twice_gives_the_same_bits,
                      nan_in_the_data_stays_where_it_belongs, gradient_of_the_bias_is_the_sum_over_images_and_area);
}
