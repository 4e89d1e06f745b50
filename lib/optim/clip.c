/* Gradients scaled so that their common 2-norm stays within a bound. Two stages: the squares of segments, then one team
 * that adds them; the host reads nothing unless it is asked for the norm. */
#include "optim/optim.h"

enum { SEGMENT = 1 << 13 };     /* elements whose squares one team adds: few, so that errors stay small */

typedef struct clip {
    hg_device *dev;
    hg_dtype dtype;
    int64_t segments, next;     /* all; the next one to be filled */
    hg_tensor *parts, *result;
    hg_status status;
} clip;

static bool count(const char *name, hg_tensor *t, bool is_buffer, void *user)
{
    (void)is_buffer;
    clip *c = user;
    hg_tensor *g = hg_grad(t);
    if (!g) return true;
    if (c->segments && g->dtype != c->dtype) {
        c->status = hg_error(HG_E_DTYPE, "clip_grad_norm: the gradient of %s is %s, those before it %s", name,
                             hg_dtype_name(g->dtype), hg_dtype_name(c->dtype));
        return false;
    }
    c->dtype = g->dtype;
    c->dev = g->dev;
    c->segments += hg_ceil_div(g->numel, SEGMENT);
    return true;
}

static bool add_squares(const char *name, hg_tensor *t, bool is_buffer, void *user)
{
    (void)name;
    (void)is_buffer;
    clip *c = user;
    if (!hg_grad(t)) return true;
    hg_scope *s = hg_scope_inner();
    hg_tensor *g = hg_raw_contiguous(hg_grad(t));
    int64_t segments = hg_ceil_div(hg_grad(t)->numel, SEGMENT);
    c->status = !hg_ok(g)
                    ? hg_last_status()
                    : hg_launch(c->dev, &hg_source_grad_norm, hg_real_options(c->dtype), "grad_squares",
                                hg_range_teams(c->dev, segments, 1),
                                HG_ARGS(HG_ARG_I64(g->numel), HG_ARG_I64(SEGMENT), HG_ARG_TENSOR(g),
                                        HG_ARG_MEM(c->parts->storage->mem), HG_ARG_I64(c->parts->offset + c->next)));
    c->next += segments;
    hg_scope_end(s);
    return c->status == HG_OK;
}

static bool scale(const char *name, hg_tensor *t, bool is_buffer, void *user)
{
    (void)name;
    (void)is_buffer;
    clip *c = user;
    hg_tensor *grad = hg_grad(t);
    if (!grad) return true;
    hg_scope *s = hg_scope_inner();
    hg_tensor *g = hg_raw_contiguous(grad);
    grad->storage->version++;
    c->status = !hg_ok(g) ? hg_last_status()
                          : hg_launch(c->dev, &hg_source_grad_norm, hg_optim_options(c->dtype, g->numel), "grad_scale",
                                      hg_range_elements(c->dev, g->numel),
                                      HG_ARGS(HG_ARG_I64(g->numel), HG_ARG_TENSOR(c->result), HG_ARG_TENSOR(g)));
    if (c->status == HG_OK && g != grad) c->status = hg_raw_copy(grad, g);
    hg_scope_end(s);
    return c->status == HG_OK;
}

static hg_status run(hg_module *m, clip *c, double max_norm)
{
    c->parts = hg_new_tensor(c->dev, c->dtype, 1, &c->segments);
    c->result = hg_new_tensor(c->dev, c->dtype, 1, (int64_t[]){2});
    if (!hg_ok(c->parts) || !hg_ok(c->result)) return hg_last_status();
    hg_each_parameter(m, add_squares, c);
    HG_TRY(c->status);
    HG_TRY(hg_launch(c->dev, &hg_source_grad_norm, hg_real_options(c->dtype), "grad_factor",
                     hg_range_teams(c->dev, 1, 1),
                     HG_ARGS(HG_ARG_I64(c->segments), hg_arg_real(c->dtype == HG_F64, max_norm),
                             HG_ARG_TENSOR(c->parts), HG_ARG_TENSOR(c->result))));
    hg_each_parameter(m, scale, c);
    return c->status;
}

static hg_status read_norm(hg_tensor *result, double *norm)
{
    union {
        float f32[2];
        double f64[2];
    } v;
    HG_TRY(hg_read(result, &v));
    *norm = result->dtype == HG_F64 ? v.f64[0] : (double)v.f32[0];
    return HG_OK;
}

hg_status hg_clip_grad_norm(hg_module *m, double max_norm, double *norm)
{
    clip c = {.status = HG_OK};
    if (norm) *norm = 0;
    if (!m) return hg_error(HG_E_ARG, "clip_grad_norm: the module is NULL");
    if (!(max_norm >= 0)) return hg_error(HG_E_ARG, "clip_grad_norm: max_norm must not be negative, got %g", max_norm);
    hg_each_parameter(m, count, &c);
    if (c.status != HG_OK || !c.segments) return c.status;
    hg_scope *s = hg_scope_inner();
    hg_status status = run(m, &c, max_norm);
    if (status == HG_OK && norm) status = read_norm(c.result, norm);
    hg_scope_end(s);
    return status;
}
