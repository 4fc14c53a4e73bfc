#include "vector_sets.h"

#include <math.h>

#pragma STDC FP_CONTRACT OFF

static void rms_norm(float *out, const float *x, const float *weight, size_t n, float epsilon) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)x[i] * x[i];
    float factor = (float)(1 / sqrt(sum / (double)n + epsilon));
    for (size_t i = 0; i < n; i++) out[i] = x[i] * factor * (weight ? weight[i] : 1);
}

static void layer_norm(float *out, const float *x, const float *weight, const float *bias, size_t n, float epsilon) {
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++) sum += x[i];
    double mean = sum / (double)n;
    for (size_t i = 0; i < n; i++) squares += (x[i] - mean) * (x[i] - mean);
    float factor = (float)(1 / sqrt(squares / (double)n + epsilon));
    for (size_t i = 0; i < n; i++) out[i] = (x[i] - (float)mean) * factor * weight[i] + (bias ? bias[i] : 0);
}

static void rotate(
    float *x, size_t heads, size_t head_size, const float *cosine, const float *sine, size_t pairs,
    bool interleaved) {
    for (size_t head = 0; head < heads; head++, x += head_size) {
        for (size_t i = 0; i < pairs; i++) {
            float *first = interleaved ? x + 2 * i : x + i;
            float *second = interleaved ? first + 1 : first + pairs;
            float a = *first, b = *second;
            *first = a * cosine[i] - b * sine[i];
            *second = b * cosine[i] + a * sine[i];
        }
    }
}

static float silu_of(float x) { return x / (1 + expf(-x)); }

static void silu(float *x, size_t n) {
    for (size_t i = 0; i < n; i++) x[i] = silu_of(x[i]);
}

static void silu_multiply(float *gate, const float *up, size_t n) {
    for (size_t i = 0; i < n; i++) gate[i] = silu_of(gate[i]) * up[i];
}

static void gelu_multiply(float *gate, const float *up, size_t n) {
    for (size_t i = 0; i < n; i++) {
        float x = gate[i];
        float inner = 0.7978845608f * (x + 0.044715f * x * x * x); // sqrt(2 / pi)
        gate[i] = 0.5f * x * (1 + tanhf(inner)) * up[i];
    }
}

static void add_scaled(float *x, const float *y, float scale, size_t n) {
    for (size_t i = 0; i < n; i++) x[i] = fmaf(scale, y[i], x[i]);
}

static void scale_by(float *x, float scale, size_t n) {
    for (size_t i = 0; i < n; i++) x[i] *= scale;
}

static void soft_cap(float *x, float cap, size_t n) {
    for (size_t i = 0; i < n; i++) x[i] = cap * tanhf(x[i] / cap);
}

static void add_squares(float *sums, const float *x, size_t n) {
    for (size_t i = 0; i < n; i++) sums[i] = fmaf(x[i], x[i], sums[i]);
}

static size_t largest(const float *x, size_t n) {
    size_t best = 0;
    for (size_t i = 1; i < n; i++)
        if (x[i] > x[best]) best = i;
    return best;
}

static bool all_finite(const float *x, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i])) return false;
    return true;
}

const ft_vector_kernels ft_vector_scalar = {
    rms_norm,      layer_norm, rotate,   silu,     silu_multiply, gelu_multiply,
    add_scaled,    scale_by,   soft_cap, add_squares, largest,    all_finite,
};
