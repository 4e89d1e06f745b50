/* The configurations of Winograd's solvers, in every direction: one is chosen, but all have to be right. */
#include <stdlib.h>
#include <string.h>

#include "checks.h"
#include "conv/candidates.h"

/* A configuration, with a weight that is new or one that stands. */
static void check_plan(const hg_conv_plan *plan, const data *d, bool stands, bool exact)
{
    const hg_conv_problem *p = &plan->problem;
    hg_device *dev = test_device();
    hg_scope *scope = hg_scope_begin(dev);
    hg_conv_buffers b = {
        .input = operand(p, hg_conv_input_numel(p), d->x, p->direction == HG_CONV_BACKWARD_DATA),
        .weight = operand(p, hg_conv_weight_numel(p), d->w, p->direction == HG_CONV_BACKWARD_WEIGHTS),
        .output = operand(p, hg_conv_output_numel(p), d->y, p->direction == HG_CONV_FORWARD),
        .bias = operand(p, p->outputs, d->bias, false),
        .residual = operand(p, hg_conv_output_numel(p), d->residual, false),
        .weight_stands = stands,
    };
    hg_conv_problem named = *p;
    bool outermost;
    strcpy(named.solver, plan->solver->name);
    ck_assert_hg(hg_device_enter(dev, &outermost));
    ck_assert_hg(hg_conv_run_plan(dev, plan, &b));
    hg_device_leave(dev, outermost);
    compare(&named,
            (hg_tensor *)(p->direction == HG_CONV_FORWARD         ? b.output
                          : p->direction == HG_CONV_BACKWARD_DATA ? b.input
                                                                  : b.weight),
            d, exact);
    hg_scope_end(scope);
}

/* Every configuration that can run; returns how many could. */
static int check_all(const hg_conv_problem *problem, bool exact)
{
    int checked = 0;
    for (int direction = 0; direction < 3; direction++) {
        hg_conv_problem p = *problem;
        hg_conv_candidate *list;
        int count;
        p.direction = direction;
        if (direction != HG_CONV_FORWARD) p.epilogue = 0;
        data d = make_data(&p, exact);
        ck_assert_hg(hg_conv_candidates(test_device(), &p, &list, &count));
        for (int i = 0; i < count; i++) {
            if (*list[i].why || strncmp(list[i].plan.solver->name, "winograd", 8)) continue;
            check_plan(&list[i].plan, &d, false, exact);
            if (direction != HG_CONV_BACKWARD_WEIGHTS) check_plan(&list[i].plan, &d, true, exact);
            checked++;
        }
        free(list);
        free_data(&d);
    }
    return checked;
}

/* Each problem, every other one on integers, in so many configurations at least on a CPU, and on a GPU. */
static void check_each(const char *const *problems, size_t count, int least_cpu, int least_gpu)
{
    for (size_t i = 0; i < count; i++) {
        hg_conv_problem p;
        ck_assert_hg(hg_conv_parse(problems[i], &p));
        ck_assert_int_ge(check_all(&p, i % 2), hg_is_cpu(test_device()) ? least_cpu : least_gpu);
    }
}

/* Images smaller than a tile, tiles in part, rows of one and of many vectors, channels and outputs beyond whole vectors
 * and panels, more channels than a work-item transforms weights of at a time, padding that is larger than the kernel or
 * differs, batches of 1, 2, 5 and about 100; and of one dimension. */
static const char *const tiled[] = {
    "fwd 1x8x1x1 8x3x3 p1x1",
    "fwd 2x8x3x3 9x3x3",
    "fwd 5x17x9x13 33x3x3 p1x1 bias relu",
    "fwd 1x16x3x50 40x3x3 p0x2 residual",
    "fwd 2x9x6x7 10x3x3 p3x4 bias residual relu",
    "fwd 1x8x2x1 8x3x3 p5x6",
    "fwd 101x8x5x6 9x3x3 p1x1",
    "fwd 2x48x14x14 64x3x3 bias residual relu",
    "fwd 2x12x8x9 20x3x3 p0:1x2:0",
    "fwd 3x32x12x70 8x3x3 p1x1",
    "fwd 1x67x7x7 130x3x3 p1x1",
    "fwd 7x24x28x28 16x3x3 p1x1 relu",
    "fwd 1x8x1 8x3 p1",
    "fwd 3x17x50 40x3 p0:2 bias residual relu",
    "fwd 5x70x13 33x3 p1",
};

START_TEST(tiles_cover_images_of_any_size)
{
    check_each(tiled, sizeof tiled / sizeof *tiled, 6, 6);
}
END_TEST

/* Of stride 2, on CPUs: patches beyond the image on either side, tiles of one to four outputs, odd and even sizes,
 * channels and outputs beyond whole vectors and panels, blocks of one and of several rows. Backward-data takes odd
 * padding alone. */
static const char *const strided[] = {
    "fwd 1x8x1x1 8x3x3 s2x2 p1x1",
    "fwd 5x17x17x26 33x3x3 s2x2 p1x1 bias relu",
    "fwd 3x20x13x11 36x3x3 s2x2 p1x1 residual",
    "fwd 1x67x14x14 130x3x3 s2x2 p1x1",
    "fwd 101x8x5x6 9x3x3 s2x2 p1x1",
    "fwd 2x130x15x16 70x3x3 s2x2 p1x1",
    "fwd 3x40x31x20 50x3x3 s2x2 p1x3",
    "fwd 1x16x9x70 16x3x3 s2x2 p3:0x1:2",
};
static const char *const strided_forward[] = {
    "fwd 2x9x3x4 10x3x3 s2x2",
    "fwd 2x9x6x7 10x3x3 s2x2 p3x4 bias residual relu",
    "fwd 7x24x28x29 16x3x3 s2x2 p0:1x2:0 relu",
};

START_TEST(tiles_of_stride_2_cover_images_of_any_size)
{
    check_each(strided, sizeof strided / sizeof *strided, 4, 0);
    check_each(strided_forward, sizeof strided_forward / sizeof *strided_forward, 2, 0);
}
END_TEST

/* Kernels of 5, forward and backward-data, on CPUs, in two dimensions and one. */
static const char *const five[] = {
    "fwd 1x8x1x1 8x5x5 p2x2",
    "fwd 2x9x6x5 10x5x5",
    "fwd 3x17x9x13 33x5x5 p2x2 bias relu",
    "fwd 2x9x6x7 40x5x5 p5x6 bias residual relu",
    "fwd 1x70x14x15 20x5x5 p0:1x4:0",
    "fwd 1x8x5 9x5",
    "fwd 3x17x50 40x5 p0:2 bias residual relu",
};

START_TEST(tiles_of_kernels_of_5_cover_images_of_any_size)
{
    check_each(five, sizeof five / sizeof *five, 4, 0);
}
END_TEST

/* Three dimensions, forward and backward-data, on CPUs: kernels of any depth, padding in depth that is larger than the
 * kernel or differs, channels in whole vectors and others, kernels of 5. */
static const char *const deep[] = {
    "fwd 1x8x1x1x1 8x3x3x3 p1x1x1",
    "fwd 2x16x5x9x10 32x3x3x3 p1x1x1 bias relu",
    "fwd 2x17x4x7x6 33x2x3x3 p0:1x1x1 residual",
    "fwd 1x32x3x8x8 16x1x3x3 p4x1x1",
    "fwd 3x20x6x13x5 36x4x3x3 p2x0x2 bias residual relu",
    "fwd 2x9x3x8x7 20x3x5x5 p1x2x2",
};

START_TEST(slices_of_three_dimensions_are_images)
{
    check_each(deep, sizeof deep / sizeof *deep, 4, 0);
}
END_TEST

START_TEST(random_problems_are_right_in_every_configuration)
{
    static const char *const keys[] = {"fwd 1x8x9 8x3", "fwd 1x8x9x9 8x3x3", "fwd 1x8x9x9 8x3x3 s2x2",
                                       "fwd 1x8x9x9 8x5x5", "fwd 1x8x9x9x9 8x3x3x3"};
    for (int i = 0; i < 10; i++) {
        hg_conv_problem p;
        ck_assert_hg(hg_conv_parse(keys[i % 5], &p));
        p.batch = test_between(1, 4);
        p.channels = test_between(8, 80);
        p.outputs = test_between(8, 70);
        p.epilogue = (int32_t)test_between(0, 7);
        for (int d = 0; d < p.rank; d++) {
            p.size[d] = test_between(p.kernel[d], p.rank == 3 ? 10 : 30);
            p.begin[d] = test_between(0, 3);
            p.end[d] = test_between(0, 3);
        }
        check_all(&p, i / 5 % 2);
    }
}
END_TEST

/* Fewer slices, smaller blocks, and refusal below that. */
START_TEST(configurations_keep_to_the_workspace)
{
    hg_conv_problem p;
    int checked = 0;
    ck_assert_hg(hg_conv_parse("fwd 5x20x10x11 36x3x3 p1x1 bias", &p));
    for (p.workspace_limit = 150000; p.workspace_limit < 3000000; p.workspace_limit += 450000)
        checked += check_all(&p, false);
    ck_assert_int_gt(checked, 6);
}
END_TEST

/* In one dimension and in two. */
START_TEST(integers_are_exact_by_tiles_of_2)
{
    static const char *const keys[] = {"fwd 3x40x11x9 35x3x3 p1x1", "fwd 2x33x30 12x3 p2"};
    for (int i = 0; i < 2; i++) {
        hg_conv_problem p;
        ck_assert_hg(hg_conv_parse(keys[i], &p));
        strcpy(p.solver, "winograd-f2x2");
        for (p.direction = 0; p.direction < 3; p.direction++) {
            data d = make_data(&p, true);
            hg_scope *scope = hg_scope_begin(test_device());
            compare(&p, run(&p, &d), &d, true);
            hg_scope_end(scope);
            free_data(&d);
        }
    }
}
END_TEST

Suite *winograd_suite(void)
{
    return TEST_SUITE("winograd", tiles_cover_images_of_any_size, tiles_of_stride_2_cover_images_of_any_size,
                      tiles_of_kernels_of_5_cover_images_of_any_size, slices_of_three_dimensions_are_images,
                      random_problems_are_right_in_every_configuration, configurations_keep_to_the_workspace,
                      integers_are_exact_by_tiles_of_2);
}
