/* Tensors as text. It stands here because torch's print names the node that made a tensor. */
#include <stdlib.h>

#include "autograd/autograd.h"
#include "tensor/print_numpy.h"
#include "tensor/print_torch.h"

/* The tensor's elements, row-major, in memory to be freed; NULL with an error. */
static void *elements(hg_tensor *t)
{
    void *data = malloc((size_t)t->numel * hg_dtype_size(t->dtype) + 1);
    if (!data) {
        hg_error(HG_E_MEMORY, "print: out of host memory");
    } else if (hg_read(t, data) != HG_OK) {
        free(data);
        data = NULL;
    }
    return data;
}

static char *take(hg_str *text)
{
    char *result = hg_str_take(text);
    if (!result) hg_error(HG_E_MEMORY, "print: out of host memory");
    return result;
}

static bool add_torch(hg_str *out, hg_tensor *t)
{
    void *data = elements(t);
    if (!data) return false;
    const char *made_by = hg_grad_fn_name(t);
    hg_print_options options = {.requires_grad = hg_requires_grad(t) && !made_by, .grad_fn = made_by};
    hg_print_torch(out, t->dtype, hg_tensor_shape(t), data, &options);
    free(data);
    return true;
}

char *hg_to_text(hg_tensor *t)
{
    hg_str text = {0};
    if (!HG_CHECK_OPERANDS("print", t) || !add_torch(&text, t)) return NULL;
    return take(&text);
}

char *hg_to_numpy_text(hg_tensor *t)
{
    hg_str text = {0};
    void *data = HG_CHECK_OPERANDS("print", t) ? elements(t) : NULL;
    if (!data) return NULL;
    hg_print_numpy(&text, t->dtype, hg_tensor_shape(t), data);
    free(data);
    return take(&text);
}

char *hg_max_to_text(hg_tensor *values, hg_tensor *indices)
{
    hg_str text = {0};
    if (!HG_CHECK_OPERANDS("print", values, indices)) return NULL;
    hg_str_add(&text, "torch.return_types.max(\nvalues=");
    bool good = add_torch(&text, values);
    hg_str_add(&text, ",\nindices=");
    good = good && add_torch(&text, indices);
    hg_str_add(&text, ")");
    if (good) return take(&text);
    hg_str_free(&text);
    return NULL;
}
