/* Random problems, of all kinds that some solver is made for, and the whole grid of kernels, strides, paddings and
 * dilations: whatever solver takes a problem agrees with the definition. Reproduced by the seed that is printed. */
#include <string.h>

#include "checks.h"

enum { PROBLEMS = 300, KINDS = 6, SOLVERS = 16 };
/* Products of the definition that a problem may have, for the sake of time. */
static const double MOST = 600e3;

/* One dimension of a problem: an image that the kernel fits, up to `extra` larger than it must be. */
static void fill_dimension(hg_conv_problem *p, int d, int64_t kernel, int64_t stride, int64_t dilation, int64_t extra)
{
    p->kernel[d] = kernel;
    p->stride[d] = stride;
    p->dilation[d] = dilation;
    p->begin[d] = test_between(0, 3);
    p->end[d] = test_between(0, 1) ? p->begin[d] : test_between(0, 3);
    int64_t least = dilation * (kernel - 1) + 1 - p->begin[d] - p->end[d];
    p->size[d] = test_between(least > 1 ? least : 1, (least > 1 ? least : 1) + extra);
}

/* A problem of a kind: any; 1x1; one channel a group; 3x3 of stride 1 with channels enough for Winograd; large kernels;
 * images of one pixel. */
static hg_conv_problem draw(int kind)
{
    hg_conv_problem p = {.dtype = HG_F32, .batch = test_between(1, 3)};
    p.rank = (int32_t)(kind == 3 || kind == 4 ? 2 : test_between(1, 3));
    p.groups = kind == 2 ? test_between(1, 67) : test_between(0, 2) || kind == 3 ? 1 : test_between(2, 4);
    p.channels = p.groups * (kind == 2 ? 1 : test_between(kind == 3 ? 8 : 1, p.groups > 1 ? 16 : 67));
    p.outputs = p.groups * (kind == 2 ? test_between(1, 3) : test_between(kind == 3 ? 8 : 1, p.groups > 1 ? 16 : 67));
    p.epilogue = (int32_t)test_between(0, 7);
    p.direction = (int32_t)test_between(0, 2);
    if (p.direction != HG_CONV_FORWARD) p.epilogue = 0;
    for (int d = 0; d < p.rank; d++) {
        int64_t kernel = kind == 1 ? 1 : kind == 3 ? 3 : kind == 4 ? test_between(5, 15) : test_between(1, 5);
        bool plain = kind == 3 || kind == 4;
        fill_dimension(&p, d, kernel, plain ? 1 : test_between(1, test_between(0, 3) ? 3 : 7),
                       plain && kind == 3 ? 1 : test_between(1, 2), d == p.rank - 1 ? 20 : 6);
        if (kind == 5) {
            p.size[d] = 1;
            p.begin[d] = p.end[d] = (p.dilation[d] * (p.kernel[d] - 1) + 1) / 2;
        }
    }
    return p;
}

static hg_conv_problem draw_small(int kind)
{
    hg_conv_problem p = draw(kind);
    while (hg_conv_flops(&p) > 2 * MOST) p = draw(kind);
    return p;
}

/* The problem by the solver: its result if it takes it; if not, the error has its reason. */
static bool agree(const hg_conv_solver *solver, hg_conv_problem p, const data *d)
{
    const hg_conv_plan *plan;
    char why[HG_WHY], part[HG_WHY + HG_CONV_NAME];
    hg_conv_problem limited = p;
    limited.workspace_limit = limited.workspace_limit ? limited.workspace_limit : 1 << 28;
    strcpy(p.solver, solver->name);
    if (!solver->applicable(&limited, test_device(), why)) {
        ck_assert_int_eq(hg_conv_choose(test_device(), &p, &plan), HG_E_UNSUPPORTED);
        snprintf(part, sizeof part, "refused (%s: %s)", solver->name, why);
        test_error(HG_E_UNSUPPORTED, part);
        return false;
    }
    if (is_slow_to_plan(solver)) return false;
    hg_scope *scope = hg_scope_begin(test_device());
    compare(&p, run(&p, d), d, true);
    hg_scope_end(scope);
    return true;
}

START_TEST(whatever_solver_takes_a_random_problem_agrees_with_the_definition)
{
    int done[SOLVERS][3] = {{0}};
    hg_device_info info;
    ck_assert_hg(hg_device_get_info(test_device(), &info));
    for (int i = 0; i < PROBLEMS; i++) {
        hg_conv_problem p = draw_small(i % KINDS);
        data d = make_data(&p, true);
        for (int s = 0; hg_conv_solvers()[s]; s++) {
            ck_assert_int_lt(s, SOLVERS);
            done[s][p.direction] += agree(hg_conv_solvers()[s], p, &d);
        }
        free_data(&d);
    }
    for (int s = 0; hg_conv_solvers()[s] && info.device_class == HG_CLASS_CPU; s++)
        for (int direction = 0; direction < 3; direction++)
            ck_assert_msg(done[s][direction] > 0 || is_slow_to_plan(hg_conv_solvers()[s]) ||
                              (hg_conv_solvers()[s] == &hg_conv_lines && direction == HG_CONV_BACKWARD_WEIGHTS),
                          "%s took no random problem in direction %d", hg_conv_solvers()[s]->name, direction);
}
END_TEST

/* Few shapes of transforms, because each is compiled for seconds: of 16 and 32, by the 64. */
START_TEST(random_problems_by_transforms_agree_with_the_definition)
{
    for (int i = 0; i < 36; i++) {
        hg_conv_problem p = {.dtype = HG_F32, .rank = 1 + i % 2, .direction = i / 2 % 3, .groups = 1};
        p.batch = test_between(1, 2);
        p.channels = test_between(1, 7);
        p.outputs = test_between(1, 7);
        p.epilogue = p.direction == HG_CONV_FORWARD ? (int32_t)test_between(0, 7) : 0;
        for (int d = 0; d < p.rank; d++) fill_dimension(&p, d, test_between(1, 5), 1, test_between(1, 2), 9);
        strcpy(p.solver, hg_conv_fft.name);
        data d = make_data(&p, true);
        hg_scope *scope = hg_scope_begin(test_device());
        compare(&p, run(&p, &d), &d, true);
        hg_scope_end(scope);
        free_data(&d);
    }
}
END_TEST

START_TEST(a_problem_without_workspace_is_done_all_the_same)
{
    for (int i = 0; i < 24; i++) {
        hg_conv_problem p = draw_small(i % KINDS);
        p.workspace_limit = 1;
        data d = make_data(&p, true);
        hg_scope *scope = hg_scope_begin(test_device());
        compare(&p, run(&p, &d), &d, true);
        hg_scope_end(scope);
        free_data(&d);
    }
}
END_TEST

/* Kernels 1 to 11, strides 1 to 3, paddings 0 to 3, dilations 1 and 2, each with each; rows odd and even, images square
 * or not, batches of 1, 2, 5 and 0 in turn, in every direction by every solver that takes it. */
START_TEST(the_whole_grid_of_geometries_agrees_with_the_definition)
{
    static const int64_t kernels[] = {1, 2, 3, 4, 5, 7, 11}, batches[] = {1, 2, 5, 0}, groups[] = {1, 1, 3, 1, 1};
    int turn = 0;
    for (int k = 0; k < 7; k++) {
        for (int rest = 0; rest < 24; rest++, turn++) {
            int64_t stride = 1 + rest % 3, padding = rest / 3 % 4, dilation = 1 + rest / 12;
            hg_conv_problem p = {.rank = 2, .batch = batches[turn % 4], .groups = groups[turn % 5]};
            p.channels = p.groups > 1 ? p.groups * (1 + turn % 2) : 3 + turn % 7;
            p.outputs = p.groups > 1 ? 6 : 2 + turn % 11;
            for (int d = 0; d < 2; d++) {
                int64_t least = dilation * (kernels[k] - 1) + 1 - 2 * padding;
                p.kernel[d] = kernels[k];
                p.stride[d] = stride;
                p.begin[d] = p.end[d] = padding;
                p.dilation[d] = dilation;
                p.size[d] = (least > 1 ? least : 1) + (d && turn % 3 ? turn % 8 : turn % 4);
            }
            check(&p, true);
        }
    }
}
END_TEST

Suite *random_suite(void)
{
    return TEST_SUITE("random", whatever_solver_takes_a_random_problem_agrees_with_the_definition,
                      random_problems_by_transforms_agree_with_the_definition,
                      a_problem_without_workspace_is_done_all_the_same,
                      the_whole_grid_of_geometries_agrees_with_the_definition);
}
