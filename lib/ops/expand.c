/* Broadcasting made visible: sizes of 1 become any size, with stride 0. Backward sums over what was expanded. */
#include <string.h>

#include "autograd/autograd.h"
#include "hapgop/ops.h"

static hg_status expand_backward(hg_node *n, hg_tensor *dy, hg_tensor **dx)
{
    int ndim = hg_node_input_ndim(n, 0), lead = dy->ndim - ndim;
    const int64_t *size = hg_node_input_size(n, 0);
    hg_dims dims = {0};
    hg_shape shape = {.ndim = ndim};
    memcpy(shape.size, size, sizeof shape.size);
    for (int d = 0; d < dy->ndim; d++)
        if (d < lead || (size[d - lead] == 1 && dy->size[d] != 1)) dims.dim[dims.count++] = d;
    dx[0] = hg_reshape(dims.count ? hg_sum(dy, dims, true) : dy, shape);
    return HG_OK;
}
static const hg_op expand_op = {"ExpandBackward0", expand_backward};

hg_tensor *hg_expand(hg_tensor *t, hg_shape shape)
{
    if (!HG_CHECK_OPERANDS("expand", t)) return hg_failed();
    int64_t stride[HG_MAX_DIMS];
    int lead = shape.ndim - t->ndim;
    if (lead < 0 || shape.ndim > HG_MAX_DIMS)
        return hg_fail(HG_E_SHAPE, "expand: the number of sizes provided (%d) must be greater or equal to the number of "
                                   "dimensions in the tensor (%d)", shape.ndim, t->ndim);
    for (int d = 0; d < shape.ndim; d++) {
        int64_t old = d < lead ? 1 : t->size[d - lead];
        if (shape.size[d] == -1 && d >= lead) shape.size[d] = old;
        if (shape.size[d] < 0 || (old != 1 && shape.size[d] != old))
            return hg_fail(HG_E_SHAPE,
                           "expand: The expanded size of the tensor (%lld) must match the existing size (%lld) at "
                           "non-singleton dimension %d. Target sizes: %s. Tensor sizes: %s",
                           (long long)shape.size[d], (long long)old, d,
                           hg_shape_text(shape.ndim, shape.size, (char[160]){0}, 160), HG_SHAPE_TEXT(t));
        stride[d] = d < lead || (old == 1 && shape.size[d] != 1) ? 0 : t->stride[d - lead];
    }
    if (hg_checked_numel("expand", shape.ndim, shape.size) < 0) return hg_failed();
    return hg_record(hg_new_view(t, shape.ndim, shape.size, stride, t->offset), &expand_op, HG_LIST(t), HG_NO_LIST, NULL, 0);
}
