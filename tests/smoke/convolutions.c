/* A solver of convolutions against the definition, in every direction that it takes. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "conv/candidates.h"
#include "conv_reference.h"
#include "smoke.h"

/* One direction by the definition and by a plan. */
static void check_plan(const hg_conv_plan *plan, double limit)
{
    const hg_conv_problem *p = &plan->problem;
    int64_t nx = hg_conv_input_numel(p), nw = hg_conv_weight_numel(p), ny = hg_conv_output_numel(p);
    double *v[4] = {smoke_values(nx, 1), smoke_values(nw, 2), smoke_values(ny, 3), smoke_values(p->outputs, 4)};
    hg_tensor *t[4];
    int64_t n[4] = {nx, nw, ny, p->outputs};
    char key[HG_CONV_KEY];
    hg_scope *s = hg_scope_begin(test_device());
    for (int k = 0; k < 4; k++) {
        for (int64_t i = 0; i < n[k]; i++) v[k][i] = rint(v[k][i]);
        t[k] = test_tensor(HG_F32, HG_SHAPE(n[k]), v[k]);
    }
    int result = p->direction == HG_CONV_FORWARD ? 2 : p->direction == HG_CONV_BACKWARD_DATA ? 0 : 1;
    ck_assert_hg(hg_fill_(t[result], NAN));
    const hg_conv_buffers b = {.input = t[0], .weight = t[1], .output = t[2], .bias = t[3]};
    bool outermost;
    ck_assert_hg(hg_device_enter(test_device(), &outermost));
    ck_assert_msg(hg_conv_run_plan(test_device(), plan, &b) == HG_OK, "%s: %s", hg_conv_key(p, key), hg_last_error());
    hg_device_leave(test_device(), outermost);
    test_conv_reference(p, v[0], v[1], v[2]);
    for (int64_t i = 0; i < ny && result == 2; i++) {
        if (p->epilogue & HG_CONV_BIAS) v[2][i] += v[3][i / hg_conv_output_area(p) % p->outputs];
        if (p->epilogue & HG_CONV_RELU) v[2][i] = fmax(v[2][i], 0);
    }
    if (limit > 0)
        test_rms(t[result], HG_SHAPE(n[result]), v[result], limit);
    else
        test_equal(t[result], HG_SHAPE(n[result]), v[result]);
    hg_scope_end(s);
    for (int k = 0; k < 4; k++) free(v[k]);
}

/* One direction by every configuration of the solver that can run; returns how many. */
static int check_direction(const hg_conv_problem *p, const hg_conv_solver *solver, double limit)
{
    hg_conv_candidate *list;
    int count, done = 0;
    ck_assert_hg(hg_conv_candidates(test_device(), p, &list, &count));
    for (int i = 0; i < count; i++) {
        if (list[i].plan.solver != solver || *list[i].why) continue;
        check_plan(&list[i].plan, limit);
        done++;
    }
    free(list);
    return done;
}

void smoke_convolutions(const hg_conv_solver *solver, const char *const *problems, int n, double limit)
{
    char why[HG_WHY];
    int done = 0;
    for (int i = 0; i < n; i++) {
        for (int direction = 0; direction < 3; direction++) {
            hg_conv_problem p;
            ck_assert_hg(hg_conv_parse(problems[i], &p));
            p.direction = direction;
            if (direction != HG_CONV_FORWARD) p.epilogue = 0;
            if (solver->applicable(&p, test_device(), why)) done += check_direction(&p, solver, limit);
        }
    }
    if (!done) printf("skipped: %s: %s\n", solver->name, why);
}
