/* A convolution and the batch normalisation after it as one convolution: its weight and bias. */
#include "ops/conv.h"

#define OR(t, other) HG_ARG_TENSOR((t) ? (t) : (other))

hg_status hg_conv_fold(const hg_conv_fold_operands *f, hg_tensor *weight, hg_tensor *bias)
{
    hg_tensor *w = f->weight;
    hg_device *dev = w->dev;
    int64_t outputs = w->size[0], row = outputs ? w->numel / outputs : 0;
    HG_TRY(hg_launch(dev, &hg_source_conv_fold, hg_real_options(w->dtype), "conv_fold", hg_range_teams(dev, outputs, 1),
                     HG_ARGS(HG_ARG_I64(row), HG_ARG_I32(f->bias != NULL), HG_ARG_I32(f->gamma != NULL),
                             hg_arg_real(w->dtype == HG_F64, f->eps), HG_ARG_TENSOR(w), OR(f->bias, f->mean),
                             OR(f->gamma, f->mean), OR(f->beta, f->mean), HG_ARG_TENSOR(f->mean), HG_ARG_TENSOR(f->var),
                             HG_ARG_TENSOR(weight), HG_ARG_TENSOR(bias))));
    weight->storage->version++;
    bias->storage->version++;
    return HG_OK;
}
