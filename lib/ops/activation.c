/* Activation functions: y = f(x; p, q), dx = dy f'(x; p, q), one kernel each way of kernels/activation.cl. */
#include "ops/elementwise.h"
#include "ops/softmax.h"

typedef struct activation {
    const char *name, *kernel, *backward, *node;
} activation;

typedef struct parameters {
    const char *backward;
    double p, q;
} parameters;

static hg_status activation_backward(hg_node *n, hg_tensor *dy, hg_tensor **dx)
{
    const parameters *c = hg_node_context(n);
    dx[0] = hg_map_backward_from(&hg_source_activation, c->backward, dy, hg_node_saved(n, 0), c->p, c->q);
    return HG_OK;
}

static hg_tensor *apply(const activation *a, hg_tensor *x, double p, double q)
{
    if (!HG_CHECK_OPERANDS(a->name, x) || !hg_check_float(a->name, x)) return hg_failed();
    hg_scope *s = hg_scope_inner();
    parameters c = {a->backward, p, q};
    hg_tensor *y = hg_map_from(&hg_source_activation, a->kernel, x, p, q);
    return hg_scope_return(s,
                           hg_record(y, &(hg_op){a->node, activation_backward}, HG_LIST(x), HG_LIST(x), &c, sizeof c));
}

hg_tensor *hg_leaky_relu(hg_tensor *x, double negative_slope)
{
    static const activation a = {"leaky_relu", "leaky_relu", "leaky_relu_bwd", "LeakyReluBackward0"};
    return apply(&a, x, negative_slope, 0);
}

hg_tensor *hg_gelu(hg_tensor *x, bool tanh_form)
{
    static const activation forms[2] = {{"gelu", "gelu", "gelu_bwd", "GeluBackward0"},
                                        {"gelu", "gelu_tanh", "gelu_tanh_bwd", "GeluBackward0"}};
    return apply(&forms[tanh_form], x, 0, 0);
}

hg_tensor *hg_silu(hg_tensor *x)
{
    static const activation a = {"silu", "silu", "silu_bwd", "SiluBackward0"};
    return apply(&a, x, 0, 0);
}

hg_tensor *hg_softplus(hg_tensor *x, double beta, double threshold)
{
    static const activation a = {"softplus", "softplus", "softplus_bwd", "SoftplusBackward0"};
    if (!(beta != 0)) return hg_fail(HG_E_ARG, "softplus: beta must be a number other than 0, got %g", beta);
    return apply(&a, x, beta, threshold);
}

hg_tensor *hg_hardsigmoid(hg_tensor *x)
{
    static const activation a = {"hardsigmoid", "hardsigmoid", "hardsigmoid_bwd", "HardsigmoidBackward0"};
    return apply(&a, x, 0, 0);
}

hg_tensor *hg_hardswish(hg_tensor *x)
{
    static const activation a = {"hardswish", "hardswish", "hardswish_bwd", "HardswishBackward0"};
    return apply(&a, x, 0, 0);
}
