/* Functions of one operand, and their derivatives: see unary.clh. Both device classes. */
#include "unary.clh"

UNARY(add_scalar, x + p)
UNARY(mul_scalar, x * p)
UNARY(absolute, x < ZERO ? -x : x)
UNARY(relu, x < ZERO ? ZERO : x)                /* NaN and -0 stay */
/* The same with one pointer. */
__kernel void relu_in_place(long n, __global T *out, long out_at)
{
    out += out_at;
    HG_FOR_V(i, n)
    {
        TV x = hg_load_part(out + i, n - i);
        hg_store_part((TV)(x < ZERO ? ZERO : x), out + i, n - i);
    }
}

UNARY(clamp_to, x < (TV)p ? (TV)p : x > (TV)q ? (TV)q : x)

#if T_INT
static inline TV integer_power(TV x, long exponent)
{
    TV y = ONE;
    for (; exponent != 0; exponent >>= 1) {     /* not > 0, which Mesa 22.3's llvmpipe takes as true of a long 0 */
        if (exponent & 1) y *= x;
        x *= x;
    }
    return y;
}
UNARY(power, integer_power(x, p_))
#else
/* pow(double16) of PoCL 3.1 (through SLEEF, AVX-512) gives wrong values beside a lane that is 0: one lane at a time. */
static inline TV power_of(TV x, T e)
{
#if HG_CPU && HG_F64
    T v[16];
    vstore16(x, 0, v);
    for (int k = 0; k < 16; k++) v[k] = pow(v[k], e);
    return vload16(0, v);
#else
    return pow(x, (TV)e);
#endif
}

BACKWARD(abs_bwd, s > ZERO ? dy : s < ZERO ? -dy : ZERO * dy)
BACKWARD(relu_bwd, s <= ZERO ? ZERO : dy)
BACKWARD(clamp_bwd, s >= (TV)p ? s <= (TV)q ? dy : ZERO : ZERO)

UNARY(divide_by, x / p)
UNARY(exponential, exp(x))
UNARY(logarithm, log(x))
UNARY(square_root, sqrt(x))
UNARY(sigmoid, ONE / (ONE + exp(-x)))
UNARY(hyperbolic, tanh(x))
UNARY(square, x * x)
UNARY(power, power_of(x, p))

BACKWARD(exp_bwd, dy * s)                       /* s = y, as for the next three */
BACKWARD(sqrt_bwd, dy / (s + s))
BACKWARD(sigmoid_bwd, dy * (ONE - s) * s)
BACKWARD(tanh_bwd, dy * (ONE - s * s))
BACKWARD(log_bwd, dy / s)
BACKWARD(square_bwd, dy * (s + s))
BACKWARD(power_bwd, dy * (p * power_of(s, q)))   /* q = p - 1 */
#endif
