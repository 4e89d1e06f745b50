#include "checks.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "conv_reference.h"

void free_data(data *d)
{
    free(d->x);
    free(d->w);
    free(d->y);
    free(d->bias);
    free(d->residual);
}

static double *values(int64_t n, bool exact)
{
    return exact ? test_integers(n, 4) : test_values(n);
}

data make_data(const hg_conv_problem *p, bool exact)
{
    int64_t n = hg_conv_output_numel(p), area = hg_conv_output_area(p);
    data d = {values(hg_conv_input_numel(p), exact), values(hg_conv_weight_numel(p), exact), values(n, exact),
              values(p->outputs, exact), values(n, exact)};
    test_conv_reference(p, d.x, d.w, d.y);
    for (int64_t i = 0; i < n && p->direction == HG_CONV_FORWARD; i++) {
        if (p->epilogue & HG_CONV_BIAS) d.y[i] += d.bias[i / area % p->outputs];
        if (p->epilogue & HG_CONV_RESIDUAL) d.y[i] += d.residual[i];
        if (p->epilogue & HG_CONV_RELU && d.y[i] < 0) d.y[i] = 0;
    }
    return d;
}

enum { GUARD = 19 };
static const double GUARDED = 12345;
static hg_tensor *guards; /* what is written lies in it, with elements before and behind that must stay */

hg_tensor *operand(const hg_conv_problem *p, int64_t n, const double *v, bool result)
{
    if (!result) return test_layout(1, (hg_dtype)p->dtype, HG_SHAPE(n), v);
    guards = hg_full(test_device(), (hg_dtype)p->dtype, HG_SHAPE(n + 2 * GUARD), GUARDED);
    hg_tensor *t = hg_slice(guards, 0, GUARD, GUARD + n, 1);
    ck_assert_hg_ok(t);
    ck_assert_hg(hg_fill_(t, NAN));
    return t;
}

static void check_guards(int64_t n, const char *key, const char *solver)
{
    double *all = test_read(guards);
    for (int i = 0; i < GUARD; i++)
        ck_assert_msg(all[i] == GUARDED && all[GUARD + n + i] == GUARDED, "%s by %s: wrote %s its result", key, solver,
                      all[i] == GUARDED ? "behind" : "before");
    free(all);
}

hg_tensor *run(const hg_conv_problem *p, const data *d)
{
    hg_conv_buffers b = {
        .input = operand(p, hg_conv_input_numel(p), d->x, p->direction == HG_CONV_BACKWARD_DATA),
        .weight = operand(p, hg_conv_weight_numel(p), d->w, p->direction == HG_CONV_BACKWARD_WEIGHTS),
        .output = operand(p, hg_conv_output_numel(p), d->y, p->direction == HG_CONV_FORWARD),
        .bias = operand(p, p->outputs, d->bias, false),
        .residual = operand(p, hg_conv_output_numel(p), d->residual, false),
    };
    char key[HG_CONV_KEY];
    ck_assert_msg(hg_conv_run(p, &b) == HG_OK, "%s: %s", hg_conv_key(p, key), hg_last_error());
    return (hg_tensor *)(p->direction == HG_CONV_FORWARD         ? b.output
                         : p->direction == HG_CONV_BACKWARD_DATA ? b.input
                                                                 : b.weight);
}

static bool is_winograd(const hg_conv_problem *p)
{
    return !strncmp(p->solver, "winograd", 8);
}

/* Whether sums of small integers are not exact: transforms by fractions that are no powers of two. */
static bool is_rounding(const hg_conv_problem *p)
{
    return (is_winograd(p) && strcmp(p->solver, "winograd-f2x2")) || !strcmp(p->solver, "fft");
}

/* What the RMS error may be of the largest value: errors of sums grow as the square root of their length. */
static double limit_of(const hg_conv_problem *p)
{
    if (p->dtype == HG_F64) return 1e-14;
    if (!is_winograd(p)) return 1e-6;
    double terms = (double)(p->direction == HG_CONV_FORWARD         ? p->channels
                            : p->direction == HG_CONV_BACKWARD_DATA ? p->outputs
                                                                    : p->batch * hg_conv_output_area(p));
    return 2e-6 * sqrt(fmax(1, terms / 512));
}

void compare(const hg_conv_problem *p, hg_tensor *t, const data *d, bool exact)
{
    const double *expected = p->direction == HG_CONV_FORWARD         ? d->y
                             : p->direction == HG_CONV_BACKWARD_DATA ? d->x
                                                                     : d->w;
    char key[HG_CONV_KEY];
    double *got = test_read(t), sum = 0, largest = 0;
    int64_t n = hg_numel(t);
    hg_conv_key(p, key);
    if (is_rounding(p) && exact) {
        exact = false;
        largest = 1; /* ReLU may leave nothing but zeros */
    }
    for (int64_t i = 0; i < n; i++) {
        ck_assert_msg(!exact || got[i] == expected[i], "%s by %s: element %lld is %.9g, expected %.9g", key, p->solver,
                      (long long)i, got[i], expected[i]);
        sum += (got[i] - expected[i]) * (got[i] - expected[i]);
        largest = fmax(largest, fabs(expected[i]));
    }
    free(got);
    check_guards(n, key, p->solver);
    double error = n ? sqrt(sum / (double)n) : 0;
    ck_assert_msg(error <= limit_of(p) * largest, "%s by %s: RMS error %.3g of the largest value", key, p->solver,
                  error / largest);
}

bool can(const hg_conv_solver *solver, const hg_conv_problem *p)
{
    const hg_conv_plan *plan;
    hg_conv_problem with = *p;
    strcpy(with.solver, solver->name);
    bool yes = hg_conv_choose(test_device(), &with, &plan) == HG_OK;
    if (!yes) test_error(HG_E_UNSUPPORTED, solver->name);
    return yes;
}

bool is_slow_to_plan(const hg_conv_solver *solver)
{
    return solver == &hg_conv_fft;
}

void check(const hg_conv_problem *problem, bool exact)
{
    for (int direction = 0; direction < 3; direction++) {
        hg_conv_problem p = *problem;
        p.direction = direction;
        if (direction != HG_CONV_FORWARD) p.epilogue = 0;
        data d = make_data(&p, exact);
        for (const hg_conv_solver *const *s = hg_conv_solvers(); *s; s++) {
            if ((p.batch * p.channels > 0 && !can(*s, &p)) || is_slow_to_plan(*s)) continue;
            strcpy(p.solver, (*s)->name);
            hg_scope *scope = hg_scope_begin(test_device());
            compare(&p, run(&p, &d), &d, exact);
            hg_scope_end(scope);
        }
        free_data(&d);
    }
}

void check_key(const char *key, bool exact)
{
    hg_conv_problem p;
    ck_assert_hg(hg_conv_parse(key, &p));
    check(&p, exact);
}
