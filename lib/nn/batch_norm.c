/* Batch normalisation with its running statistics. The count of training steps is kept on the device, where nothing
 * has to wait for it; only a cumulative average (no momentum) needs it here and reads it once. */
#include "base/repr.h"
#include "cl/fault.h"
#include "nn/layer.h"

typedef struct batch_norm_state {
    int64_t features;
    hg_batch_norm_options options;
    int64_t count;              /* what num_batches_tracked is, while version and faults stand */
    unsigned version, faults;   /* of the tensor's storage; of the device, for then steps were left out */
    bool known;
    bool frozen;                /* the running statistics serve in training too */
} batch_norm_state;

static const hg_module_class batch_norm1d_class, batch_norm2d_class;

static hg_status check_rank(const hg_module *m, const hg_tensor *x)
{
    if (m->cls == &batch_norm1d_class && x->ndim != 2 && x->ndim != 3)
        return hg_error(HG_E_SHAPE, "BatchNorm1d: expected 2D or 3D input (got %dD input)", x->ndim);
    if (m->cls == &batch_norm2d_class && x->ndim != 4)
        return hg_error(HG_E_SHAPE, "BatchNorm2d: expected 4D input (got %dD input)", x->ndim);
    return HG_OK;
}

static bool is_known(const batch_norm_state *s, const hg_tensor *tracked)
{
    return s->known && s->version == tracked->storage->version && s->faults == tracked->dev->faults;
}

static hg_status count_step(batch_norm_state *s, hg_tensor *tracked)
{
    s->known = is_known(s, tracked);
    HG_TRY(hg_launch(tracked->dev, &hg_source_count, NULL, "count", (hg_range){1, {1}, {1}},
                     HG_ARGS(HG_ARG_MEM(hg_fault_buffer(tracked->dev)), HG_ARG_TENSOR(tracked))));
    s->count++;
    s->version = ++tracked->storage->version;
    return HG_OK;
}

/* The weight of this batch. Without momentum the running values are the mean over all batches. */
static hg_status find_momentum(batch_norm_state *s, hg_tensor *tracked, double *momentum)
{
    *momentum = s->options.momentum;
    if (*momentum >= 0) return HG_OK;
    if (!is_known(s, tracked)) {
        HG_TRY(hg_read(tracked, &s->count));
        s->version = tracked->storage->version;
        s->faults = tracked->dev->faults;
        s->known = true;
    }
    *momentum = 1.0 / (double)(s->count + 1);
    return HG_OK;
}

/* What follows the normalisation in the same operation. */
typedef struct follows {
    bool relu;
    const hg_pool_options *pool;
} follows;

static hg_tensor *normalise(hg_module *m, hg_tensor *x, const void *user)
{
    const follows *f = user;
    batch_norm_state *s = m->state;
    hg_tensor *mean = hg_own_tensor(m, "running_mean"), *var = hg_own_tensor(m, "running_var");
    hg_tensor *tracked = hg_own_tensor(m, "num_batches_tracked");
    double momentum = 0;
    if (check_rank(m, x) != HG_OK) return hg_failed();
    bool training = !mean || (m->training && !s->frozen);
    bool updates = training && tracked && !hg_is_recomputing();
    if (updates && find_momentum(s, tracked, &momentum) != HG_OK) return hg_failed();
    hg_tensor *weight = hg_own_tensor(m, "weight"), *bias = hg_own_tensor(m, "bias"), *y;
    if (training && hg_is_recomputing()) mean = var = NULL;     /* they have seen this batch */
    if (f->relu)
        y = hg_batch_norm_relu(x, mean, var, weight, bias, training, momentum, s->options.eps, f->pool);
    else
        y = hg_batch_norm(x, mean, var, weight, bias, training, momentum, s->options.eps);
    if (hg_ok(y) && updates && count_step(s, tracked) != HG_OK) return hg_failed();
    return y;
}

static hg_tensor *batch_norm_forward(hg_module *m, hg_tensor *x)
{
    return normalise(m, x, &(follows){false, NULL});
}

static char *batch_norm_text(const hg_module *m)
{
    const batch_norm_state *s = m->state;
    char eps[HG_REPR_SIZE], momentum[HG_REPR_SIZE] = "None";
    hg_repr_double(s->options.eps, eps);
    if (s->options.momentum >= 0) hg_repr_double(s->options.momentum, momentum);
    return hg_extra_text("%lld, eps=%s, momentum=%s, affine=%s, track_running_stats=%s", (long long)s->features, eps,
                         momentum, s->options.affine ? "True" : "False",
                         s->options.track_running_stats ? "True" : "False");
}

static const hg_module_class batch_norm1d_class = {.name = "BatchNorm1d",
                                                   .state_size = sizeof(batch_norm_state),
                                                   .forward = batch_norm_forward,
                                                   .extra_text = batch_norm_text};
static const hg_module_class batch_norm2d_class = {.name = "BatchNorm2d",
                                                   .state_size = sizeof(batch_norm_state),
                                                   .forward = batch_norm_forward,
                                                   .extra_text = batch_norm_text};

bool hg_is_batch_norm2d(const hg_module *m)
{
    return m->cls == &batch_norm2d_class;
}

typedef struct freezing {
    const char *pattern;
    bool frozen;
    int count;
} freezing;

static bool freeze_one(const char *name, hg_module *m, void *user)
{
    freezing *f = user;
    if ((m->cls != &batch_norm1d_class && m->cls != &batch_norm2d_class) || !hg_name_matches(f->pattern, name)) return true;
    ((batch_norm_state *)m->state)->frozen = f->frozen;
    f->count++;
    return true;
}

int hg_freeze_batch_norm(hg_module *m, const char *pattern, bool frozen)
{
    freezing f = {pattern, frozen, 0};
    hg_each_module(m, freeze_one, &f);
    return f.count;
}

double hg_batch_norm_eps(const hg_module *m)
{
    return ((const batch_norm_state *)m->state)->options.eps;
}

hg_tensor *hg_forward_batch_norm_relu(hg_module *m, hg_tensor *x, const hg_pool_options *pool)
{
    return hg_forward_by(m, x, normalise, &(follows){true, pool});
}

static hg_status add_tensors(hg_module *m, int64_t features, const hg_batch_norm_options *o)
{
    hg_shape shape = HG_SHAPE(features);
    if (o->affine) {
        HG_TRY(hg_add_filled(m, "weight", false, HG_F32, shape, 1));
        HG_TRY(hg_add_filled(m, "bias", false, HG_F32, shape, 0));
    }
    if (!o->track_running_stats) return HG_OK;
    HG_TRY(hg_add_filled(m, "running_mean", true, HG_F32, shape, 0));
    HG_TRY(hg_add_filled(m, "running_var", true, HG_F32, shape, 1));
    return hg_add_filled(m, "num_batches_tracked", true, HG_I64, HG_SCALAR, 0);
}

static hg_module *batch_norm_module(hg_device *dev, const hg_module_class *cls, int64_t features,
                                    const hg_batch_norm_options *given)
{
    hg_batch_norm_options o = given ? *given : HG_BATCH_NORM_DEFAULTS;
    if (hg_check_least(cls->name, "num_features", features, 0) != HG_OK) return NULL;
    if (!(o.eps >= 0)) {
        hg_error(HG_E_ARG, "%s: eps must not be negative, got %g", cls->name, o.eps);
        return NULL;
    }
    hg_module *m = hg_module_new(dev, cls);
    if (!m) return NULL;
    m->version = 2;     /* since num_batches_tracked is in state dicts */
    *(batch_norm_state *)m->state = (batch_norm_state){.features = features, .options = o};
    return hg_module_built(m, add_tensors(m, features, &o));
}

hg_module *hg_batch_norm1d_module(hg_device *dev, int64_t features, const hg_batch_norm_options *o)
{
    return batch_norm_module(dev, &batch_norm1d_class, features, o);
}

hg_module *hg_batch_norm2d_module(hg_device *dev, int64_t features, const hg_batch_norm_options *o)
{
    return batch_norm_module(dev, &batch_norm2d_class, features, o);
}
