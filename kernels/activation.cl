/* Activation functions and their derivatives at s = x: see unary.clh. Both device classes. */
#include "unary.clh"

#define HALF ((TV)(T)0.5)
#define ROOT_HALF ((TV)(T)0.70710678118654752440)           /* 1 / sqrt(2) */
#define DENSITY ((TV)(T)0.39894228040143267794)             /* 1 / sqrt(2 pi) */
#define TWICE_ROOT_2_PI ((TV)(T)1.59576912160573071176)     /* 2 sqrt(2 / pi) */
#define CUBIC ((TV)(T)0.044715)

/* erf and log1p one lane at a time: a CPU's library has them for scalars only. */
#if HG_CPU
#define LANES_OF(name, f)                                                                                              \
    static inline TV name(TV x)                                                                                        \
    {                                                                                                                  \
        T v[16];                                                                                                       \
        vstore16(x, 0, v);                                                                                             \
        for (int k = 0; k < 16; k++) v[k] = f(v[k]);                                                                   \
        return vload16(0, v);                                                                                          \
    }
LANES_OF(erf_of, erf)
LANES_OF(log1p_of, log1p)
#else
#define erf_of erf
#define log1p_of log1p
#endif

static inline TV bounded(TV x)
{
    return x < ZERO ? ZERO : x > (TV)(T)6 ? (TV)(T)6 : x;   /* NaN stays */
}

static inline TV sigmoid_of(TV x)
{
    return ONE / (ONE + exp(-x));
}

/* (1 + tanh(u)) / 2 = sigmoid(2 u), which keeps its digits for large negative u */
static inline TV gelu_share(TV x)
{
    return sigmoid_of(TWICE_ROOT_2_PI * (x + CUBIC * x * x * x));
}

UNARY(leaky_relu, x > ZERO ? x : x * p)
UNARY(gelu, x * HALF * (ONE + erf_of(x * ROOT_HALF)))
UNARY(gelu_tanh, x * gelu_share(x))
UNARY(silu, x / (ONE + exp(-x)))
UNARY(softplus, x * p > (TV)q ? x : log1p_of(exp(x * p)) / p)
UNARY(hardsigmoid, bounded(x + (TV)(T)3) / (TV)(T)6)
UNARY(hardswish, x * bounded(x + (TV)(T)3) / (TV)(T)6)

static inline TV gelu_slope(TV s)
{
    return HALF * (ONE + erf_of(s * ROOT_HALF)) + s * exp(s * s * -HALF) * DENSITY;
}

static inline TV gelu_tanh_slope(TV s)
{
    TV y = gelu_share(s);
    return y + s * y * (ONE - y) * TWICE_ROOT_2_PI * (ONE + (TV)(T)3 * CUBIC * s * s);
}

static inline TV silu_slope(TV s)
{
    TV y = sigmoid_of(s);
    return y * (ONE + s * (ONE - y));
}

BACKWARD(leaky_relu_bwd, s > ZERO ? dy : dy * p)
BACKWARD(gelu_bwd, dy * gelu_slope(s))
BACKWARD(gelu_tanh_bwd, dy * gelu_tanh_slope(s))
BACKWARD(silu_bwd, dy * silu_slope(s))
BACKWARD(softplus_bwd, s * p > (TV)q ? dy : dy * sigmoid_of(s * p))
BACKWARD(hardsigmoid_bwd, s > -(TV)(T)3 ? s < (TV)(T)3 ? dy / (TV)(T)6 : ZERO : ZERO)
BACKWARD(hardswish_bwd, s < -(TV)(T)3 ? ZERO : s <= (TV)(T)3 ? dy * (s / (TV)(T)3 + HALF) : dy)
