// Activation functions: each with its slope, alone and at the end of another operation.
#include "kernel.h"

DEVICE Real sigmoid(Real x) { return 1 / (1 + exp(-x)); }

// ln(1 + e^x) without overflow.
DEVICE Real softplus(Real x) { return at_least(x, 0) + log1p(exp(-fabs(x))); }

DEVICE Real clamp(Real x, Real low, Real high) { return at_most(at_least(x, low), high); }

DEVICE Real hard_sigmoid(Real x) { return clamp(x / 6 + Real(0.5), 0, 1); }

// The slope of `hard_sigmoid` where it is `y`.
DEVICE Real hard_sigmoid_slope(Real y) { return y > 0 && y < 1 ? Real(1.0 / 6.0) : Real(0); }

// The normal distribution function.
DEVICE Real normal_cdf(Real x) { return Real(0.5) * (1 + erf(x * Real(0.70710678118654752440))); }

DEVICE Real normal_density(Real x) { return exp(-x * x / 2) * Real(0.39894228040143267794); }

DEVICE Real square(Real x) { return x * x; }

#define SELU_ALPHA Real(1.6732632423543772)
#define SELU_SCALE Real(1.0507009873554805)

// A function of `x` and its slope there, where it is `y`, with settings `a`, `b` and `c`, as kernels of its values and its
// gradients.
#define FUNCTION(name, value, slope) \
    DEVICE Real name##_value(Real x, Real a, Real b, Real c) { return value; } \
    DEVICE Real name##_slope(Real x, Real y, Real a, Real b, Real c) { return slope; } \
    KERNEL(name##_values, Write<Real> ys, Read<Real> xs, Index count, Real a, Real b, Real c) { \
        EACH(i, count) ys[i] = name##_value(xs[i], a, b, c); \
    } \
    KERNEL(name##_gradients, Write<Real> out, Read<Real> xs, Read<Real> ys, Read<Real> grad, Index count, Real a, Real b, \
           Real c) { \
        EACH(i, count) out[i] = grad[i] * name##_slope(xs[i], ys[i], a, b, c); \
    }

// A function without settings, also at the end of other operations: after a bias is added to rows of `width` values, if there
// is one, and after two arrays are added.
#define ACTIVATION(name, value, slope) \
    FUNCTION(name, value, slope) \
    KERNEL(name##_end, Write<Real> ys, Read<Real> bias, Index count, Index width) { \
        EACH(i, count) ys[i] = name##_value(bias ? ys[i] + bias[i % width] : ys[i], 0, 0, 0); \
    } \
    KERNEL(name##_sums, Write<Real> ys, Read<Real> first, Read<Real> second, Index count) { \
        EACH(i, count) ys[i] = name##_value(first[i] + second[i], 0, 0, 0); \
    }

ACTIVATION(linear, x, 1)
ACTIVATION(relu, at_least(x, 0), Real(y > 0))
ACTIVATION(leaky_relu, x > 0 ? x : Real(0.2) * x, y > 0 ? Real(1) : Real(0.2))
ACTIVATION(relu6, clamp(x, 0, 6), Real(y > 0 && y < 6))
ACTIVATION(elu, x > 0 ? x : expm1(x), x > 0 ? Real(1) : y + 1)
ACTIVATION(celu, x > 0 ? x : expm1(x), x > 0 ? Real(1) : y + 1)
ACTIVATION(selu, SELU_SCALE * (x > 0 ? x : SELU_ALPHA * expm1(x)), x > 0 ? SELU_SCALE : y + SELU_SCALE * SELU_ALPHA)
ACTIVATION(gelu, x *normal_cdf(x), normal_cdf(x) + x * normal_density(x))
ACTIVATION(silu, x *sigmoid(x), sigmoid(x) * (1 + x * (1 - sigmoid(x))))
ACTIVATION(hard_silu, x *hard_sigmoid(x), hard_sigmoid(x) + x * hard_sigmoid_slope(hard_sigmoid(x)))
ACTIVATION(sigmoid, sigmoid(x), y *(1 - y))
ACTIVATION(hard_sigmoid, hard_sigmoid(x), hard_sigmoid_slope(y))
ACTIVATION(log_sigmoid, -softplus(-x), sigmoid(-x))
ACTIVATION(tanh, tanh(x), 1 - y * y)
ACTIVATION(hard_tanh, clamp(x, -1, 1), Real(y > -1 && y < 1))
ACTIVATION(tanh_shrink, x - tanh(x), square(tanh(x)))
ACTIVATION(soft_shrink, x > Real(0.5) ? x - Real(0.5) : x < Real(-0.5) ? x + Real(0.5) : Real(0), Real(fabs(x) > Real(0.5)))
ACTIVATION(hard_shrink, fabs(x) > Real(0.5) ? x : Real(0), Real(fabs(x) > Real(0.5)))
ACTIVATION(softplus, softplus(x), sigmoid(x))
ACTIVATION(softsign, x / (1 + fabs(x)), square(1 / (1 + fabs(x))))
ACTIVATION(squareplus, (x + sqrt(x * x + 4)) / 2, (1 + x / sqrt(x * x + 4)) / 2)
ACTIVATION(mish, x *tanh(softplus(x)), tanh(softplus(x)) + x * sigmoid(x) * (1 - square(tanh(softplus(x)))))
ACTIVATION(exponential, exp(x), y)
ACTIVATION(sparse_plus, x <= -1 ? Real(0) : x >= 1 ? x : Real(0.25) * square(x + 1), clamp((x + 1) / 2, 0, 1))
ACTIVATION(sparse_sigmoid, clamp((x + 1) / 2, 0, 1), x > -1 && x < 1 ? Real(0.5) : Real(0))

// Keras' rectifier before its largest value cuts it: slope `a` up to threshold `b`.
DEVICE Real leaky(Real x, Real a, Real b) { return x <= b ? a * (x - b) : x; }

// Layers with settings. Of ReLU: slope `a`, threshold `b`, and the largest value `c`, which may be infinite.
FUNCTION(layer_relu, at_most(leaky(x, a, b), c), leaky(x, a, b) >= c ? Real(0) : x > b ? Real(1) : a)
FUNCTION(layer_leaky_relu, x > 0 ? x : a * x, x > 0 ? Real(1) : a)
FUNCTION(layer_elu, x > 0 ? x : a * expm1(x), x > 0 ? Real(1) : y + a)
// `x` above `a`, else `b`.
FUNCTION(layer_threshold, x > a ? x : b, Real(x > a))

// One half of each row opens or closes the other: a * sigmoid(b).
KERNEL(glu_values, Write<Real> ys, Read<Real> xs, Index count, Index half) {
    EACH(i, count) {
        Index a = i / half * 2 * half + i % half;
        ys[i] = xs[a] * sigmoid(xs[a + half]);
    }
}

KERNEL(glu_gradients, Write<Real> out, Read<Real> xs, Read<Real> ys, Read<Real> grad, Index count, Index half) {
    EACH(i, count) {
        Index a = i / half * 2 * half + i % half;
        Real gate = sigmoid(xs[a + half]);
        out[a] = grad[i] * gate;
        out[a + half] = grad[i] * ys[i] * (1 - gate);
    }
}
