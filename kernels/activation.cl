/* Activation functions and their derivatives at s = x: see unary.clh. Both device classes. */
#include "unary.clh"

#define HALF ((TV)REAL_(0.5))
#define ROOT_HALF ((TV)REAL_(0.70710678118654752440))           /* 1 / sqrt(2) */
#define DENSITY ((TV)REAL_(0.39894228040143267794))             /* 1 / sqrt(2 pi) */
#define TWICE_ROOT_2_PI ((TV)REAL_(1.59576912160573071176))     /* 2 sqrt(2 / pi) */
#define CUBIC ((TV)REAL_(0.044715))

#if HG_CPU
/* log(1 + x) for x of 0 to 1, whole vectors at once: what 1 + x rounds away is given back (W. Kahan). */
static inline TV log1p_of(TV x)
{
    TV u = ONE + x;
    return u == ONE ? x : log(u) * (x / (u - ONE));
}

/* A CPU's library has erf for scalars only. In f32: x + x P(x^2) up to 1, 1 - exp(-x Q(x)) beyond, with least-squares
 * polynomials at Chebyshev points; at most 1.6 units in the last place off. */
static inline TV erf_of(TV x)
{
#if HG_F64
    T v[16];
    vstore16(x, 0, v);
    for (int k = 0; k < 16; k++) v[k] = erf(v[k]);
    return vload16(0, v);
#else
    TV t = fabs(x), s = x * x;
    t = t > (TV)4.0f ? (TV)4.0f : t;    /* NaN stays */
    TV p = fma(s, (TV)-5.62539382e-4f, (TV)4.91602253e-3f);
    p = fma(p, s, (TV)-2.67099496e-2f);
    p = fma(p, s, (TV)1.12801306e-1f);
    p = fma(p, s, (TV)-3.76123190e-1f);
    p = fma(p, s, (TV)1.28379121e-1f);
    TV q = fma(t, (TV)3.44526484e-6f, (TV)-2.71095160e-5f);
    q = fma(q, t, (TV)-1.45335012e-4f);
    q = fma(q, t, (TV)3.19977500e-3f);
    q = fma(q, t, (TV)-2.31197476e-2f);
    q = fma(q, t, (TV)1.05695181e-1f);
    q = fma(q, t, (TV)6.35396898e-1f);
    q = fma(q, t, (TV)1.12860239f);
    TV far = ONE - exp(-t * q);
    return t <= ONE ? fma(p, x, x) : x < ZERO ? -far : far;
#endif
}
#else
#define erf_of erf
#define log1p_of log1p
#endif

/* log(1 + exp(x)) without overflow */
static inline TV softplus_of(TV x)
{
    return (x < ZERO ? ZERO : x) + log1p_of(exp(-fabs(x)));
}

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
UNARY(softplus, x * p > (TV)q ? x : softplus_of(x * p) / p)
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
