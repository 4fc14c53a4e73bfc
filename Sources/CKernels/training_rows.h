// The trainer's row arithmetic; included by one file for each instruction set, which names FT_TRAINING_TABLE and sets
// the target. Loops are plain so that the compiler vectorises them without changing the order of any sum.
#include "training.h"
#include <math.h>
#include <string.h>

#pragma STDC FP_CONTRACT OFF

#define LANES 16

static inline float join(const float *lane) {
    float a[8];
    for (int i = 0; i < 8; i++) a[i] = lane[i] + lane[i + 8];
    for (int i = 0; i < 4; i++) a[i] += a[i + 4];
    return (a[0] + a[2]) + (a[1] + a[3]);
}

// Sum over i < n of `term` in 16 lanes; the tail goes to the first lanes.
#define LANE_SUM(result, n, term)                        \
    do {                                                 \
        float lane[LANES] = {0};                         \
        size_t base = 0;                                 \
        for (; base + LANES <= (n); base += LANES)       \
            for (size_t l = 0; l < LANES; l++) {         \
                size_t i = base + l;                     \
                lane[l] += (term);                       \
            }                                            \
        for (size_t i = base; i < (n); i++) lane[i - base] += (term); \
        (result) = join(lane);                           \
    } while (0)

// e^x to about one unit in the last place: 2^k * P(r), |r| <= ln 2 / 2, P of degree 6 (Cephes' coefficients).
static inline float exponential(float x) {
    x = x < -87.0f ? -87.0f : x;
    x = x > 88.0f ? 88.0f : x;
    float k = (x * 1.44269504088896341f + 12582912.0f) - 12582912.0f;
    float r = (x - k * 0.693359375f) - k * -2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    int32_t bits = ((int32_t)k + 127) << 23;
    float power;
    memcpy(&power, &bits, sizeof power);
    return p * power;
}

static inline float sigmoid(float x) { return 1.0f / (1.0f + exponential(-x)); }
static inline float hyperbolic_tangent(float x) { return 1.0f - 2.0f / (exponential(2.0f * x) + 1.0f); }

static void rms_norm(const float *x, const float *weight, float *y, float *reciprocal, size_t rows, size_t n,
                     float epsilon) {
    for (size_t row = 0; row < rows; row++, x += n, y += n) {
        float squares;
        LANE_SUM(squares, n, x[i] * x[i]);
        float r = 1.0f / sqrtf(squares / (float)n + epsilon);
        reciprocal[row] = r;
        for (size_t i = 0; i < n; i++) y[i] = x[i] * r * weight[i];
    }
}

static void rms_norm_backward(const float *dy, const float *x, const float *weight, const float *reciprocal, float *dx,
                              float *weight_gradient, size_t rows, size_t n, int accumulate) {
    for (size_t row = 0; row < rows; row++, x += n, dy += n, dx += n) {
        float r = reciprocal[row], dot;
        LANE_SUM(dot, n, dy[i] * weight[i] * x[i]);
        float c = dot * r * r / (float)n;
        if (weight_gradient)
            for (size_t i = 0; i < n; i++) weight_gradient[i] += dy[i] * (x[i] * r);
        if (accumulate)
            for (size_t i = 0; i < n; i++) dx[i] += r * (dy[i] * weight[i] - x[i] * c);
        else
            for (size_t i = 0; i < n; i++) dx[i] = r * (dy[i] * weight[i] - x[i] * c);
    }
}

static void layer_norm(const float *x, const float *weight, const float *bias, float *y, float *mean,
                       float *reciprocal, size_t rows, size_t n, float epsilon) {
    for (size_t row = 0; row < rows; row++, x += n, y += n) {
        float sum, squares;
        LANE_SUM(sum, n, x[i]);
        float m = sum / (float)n;
        LANE_SUM(squares, n, (x[i] - m) * (x[i] - m));
        float r = 1.0f / sqrtf(squares / (float)n + epsilon);
        mean[row] = m;
        reciprocal[row] = r;
        for (size_t i = 0; i < n; i++) y[i] = (x[i] - m) * r * weight[i];
        if (bias)
            for (size_t i = 0; i < n; i++) y[i] += bias[i];
    }
}

static void layer_norm_backward(const float *dy, const float *x, const float *weight, const float *mean,
                                const float *reciprocal, float *dx, float *weight_gradient, float *bias_gradient,
                                size_t rows, size_t n) {
    for (size_t row = 0; row < rows; row++, x += n, dy += n, dx += n) {
        float m = mean[row], r = reciprocal[row], sum, dot;
        LANE_SUM(sum, n, dy[i] * weight[i]);
        LANE_SUM(dot, n, dy[i] * weight[i] * ((x[i] - m) * r));
        float a = sum / (float)n, b = dot / (float)n;
        for (size_t i = 0; i < n; i++) weight_gradient[i] += dy[i] * ((x[i] - m) * r);
        if (bias_gradient)
            for (size_t i = 0; i < n; i++) bias_gradient[i] += dy[i];
        for (size_t i = 0; i < n; i++) dx[i] = r * (dy[i] * weight[i] - a - (x[i] - m) * r * b);
    }
}

static void rotary(float *x, const int32_t *position, const float *cosine, const float *sine, size_t rows,
                   size_t heads, size_t head_size, size_t pairs, int interleaved, float direction) {
    for (size_t row = 0; row < rows; row++) {
        const float *c = cosine + (size_t)position[row] * pairs, *s = sine + (size_t)position[row] * pairs;
        for (size_t head = 0; head < heads; head++, x += head_size) {
            if (interleaved) {
                for (size_t i = 0; i < pairs; i++) {
                    float a = x[2 * i], b = x[2 * i + 1], t = direction * s[i];
                    x[2 * i] = a * c[i] - b * t;
                    x[2 * i + 1] = b * c[i] + a * t;
                }
            } else {
                float *high = x + pairs;
                for (size_t i = 0; i < pairs; i++) {
                    float a = x[i], b = high[i], t = direction * s[i];
                    x[i] = a * c[i] - b * t;
                    high[i] = b * c[i] + a * t;
                }
            }
        }
    }
}

#define GELU_A 0.7978845608028654f
#define GELU_B 0.044715f

static void gated(const float *gate, const float *up, float *y, size_t count, int activation) {
    if (activation == 0) {
        for (size_t i = 0; i < count; i++) y[i] = gate[i] * sigmoid(gate[i]) * up[i];
    } else {
        for (size_t i = 0; i < count; i++) {
            float g = gate[i];
            y[i] = 0.5f * g * (1.0f + hyperbolic_tangent(GELU_A * (g + GELU_B * g * g * g))) * up[i];
        }
    }
}

static void gated_backward(const float *dy, float *gate, float *up, size_t count, int activation) {
    if (activation == 0) {
        for (size_t i = 0; i < count; i++) {
            float g = gate[i], s = sigmoid(g), u = up[i];
            up[i] = dy[i] * (g * s);
            gate[i] = dy[i] * u * (s * (1.0f + g * (1.0f - s)));
        }
    } else {
        for (size_t i = 0; i < count; i++) {
            float g = gate[i], u = up[i];
            float t = hyperbolic_tangent(GELU_A * (g + GELU_B * g * g * g));
            float slope = 0.5f * (1.0f + t) + 0.5f * g * (1.0f - t * t) * GELU_A * (1.0f + 3.0f * GELU_B * g * g);
            up[i] = dy[i] * (0.5f * g * (1.0f + t));
            gate[i] = dy[i] * u * slope;
        }
    }
}

static void silu(const float *x, float *y, size_t count) {
    for (size_t i = 0; i < count; i++) y[i] = x[i] * sigmoid(x[i]);
}

static void silu_backward(const float *dy, const float *x, float *dx, size_t count) {
    for (size_t i = 0; i < count; i++) {
        float s = sigmoid(x[i]);
        dx[i] = dy[i] * (s * (1.0f + x[i] * (1.0f - s)));
    }
}

static void add_scaled(float *y, const float *x, float scale, size_t count) {
    for (size_t i = 0; i < count; i++) y[i] += scale * x[i];
}

static void scaled(float *y, const float *x, float scale, size_t count) {
    for (size_t i = 0; i < count; i++) y[i] = scale * x[i];
}

static void add_bias(float *y, const float *bias, size_t rows, size_t n) {
    for (size_t row = 0; row < rows; row++, y += n)
        for (size_t i = 0; i < n; i++) y[i] += bias[i];
}

static void column_sums(float *sum, const float *x, size_t rows, size_t n) {
    for (size_t row = 0; row < rows; row++, x += n)
        for (size_t i = 0; i < n; i++) sum[i] += x[i];
}

static double sum_of_squares(const float *x, size_t count) {
    double total = 0;
    for (size_t start = 0; start < count; start += 1024) {
        size_t n = count - start < 1024 ? count - start : 1024;
        const float *part = x + start;
        float sum;
        LANE_SUM(sum, n, part[i] * part[i]);
        total += sum;
    }
    return total;
}

static double squared_distance(const float *z, const float *anchor, float *dz, size_t n, float gradient_scale) {
    float sum;
    LANE_SUM(sum, n, (z[i] - anchor[i]) * (z[i] - anchor[i]));
    for (size_t i = 0; i < n; i++) dz[i] += gradient_scale * (z[i] - anchor[i]);
    return sum;
}

static inline float largest(const float *x, size_t n, float start) {
    float lane[LANES];
    for (size_t l = 0; l < LANES; l++) lane[l] = start;
    size_t base = 0;
    for (; base + LANES <= n; base += LANES)
        for (size_t l = 0; l < LANES; l++) lane[l] = x[base + l] > lane[l] ? x[base + l] : lane[l];
    for (size_t i = base; i < n; i++) lane[0] = x[i] > lane[0] ? x[i] : lane[0];
    float best = lane[0];
    for (size_t l = 1; l < LANES; l++) best = lane[l] > best ? lane[l] : best;
    return best;
}

// In place: x = exp(x - shift); returns the sum.
static inline float exponentials(float *x, size_t n, float shift) {
    float lane[LANES] = {0};
    size_t base = 0;
    for (; base + LANES <= n; base += LANES)
        for (size_t l = 0; l < LANES; l++) {
            float e = exponential(x[base + l] - shift);
            x[base + l] = e;
            lane[l] += e;
        }
    for (size_t i = base; i < n; i++) {
        x[i] = exponential(x[i] - shift);
        lane[i - base] += x[i];
    }
    return join(lane);
}

static inline void scale_and_cap(float *x, size_t n, float factor, float cap, float *slope) {
    if (cap > 0) {
        float inverse = 1.0f / cap;
        for (size_t i = 0; i < n; i++) {
            float t = hyperbolic_tangent(x[i] * factor * inverse);
            x[i] = cap * t;
            if (slope) slope[i] = 1.0f - t * t;
        }
    } else {
        for (size_t i = 0; i < n; i++) x[i] *= factor;
    }
}

static inline float dot(const float *a, const float *b, size_t n) {
    float sum;
    LANE_SUM(sum, n, a[i] * b[i]);
    return sum;
}

static inline void add_product(float *restrict y, float factor, const float *restrict x, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] += factor * x[i];
}

static void attention_probabilities(const ft_mask_row *row, size_t rows, float *scores, float *slope,
                                    size_t stride, size_t columns, float *own, float *own_slope, size_t own_stride,
                                    const float *q, size_t q_stride, const float *k, size_t k_stride,
                                    size_t head_size, float scale, float cap) {
    for (size_t r = 0; r < rows; r++) {
        const float *block = k + (size_t)row[r].own_start * k_stride;
        size_t first = (size_t)row[r].first, count = (size_t)(row[r].last - row[r].first);
        size_t own_count = (size_t)row[r].own_count;
        for (size_t i = 0; i < own_count; i++) own[i] = dot(q, block + i * k_stride, head_size);
        float *seen = scores + first;
        scale_and_cap(seen, count, scale, cap, slope ? slope + first : 0);
        scale_and_cap(own, own_count, scale, cap, own_slope);
        float most = largest(own, own_count, largest(seen, count, -INFINITY));
        float sum = exponentials(seen, count, most);
        sum += exponentials(own, own_count, most);
        float inverse = 1.0f / sum;
        for (size_t i = 0; i < count; i++) seen[i] *= inverse;
        for (size_t i = 0; i < own_count; i++) own[i] *= inverse;
        memset(scores, 0, first * sizeof *scores);
        memset(seen + count, 0, (columns - first - count) * sizeof *scores);
        scores += stride;
        own += own_stride;
        q += q_stride;
        if (slope) slope += stride;
        if (own_slope) own_slope += own_stride;
    }
}

static void attention_add_own(const ft_mask_row *row, size_t rows, const float *own, size_t own_stride,
                              const float *x, size_t x_stride, float *y, size_t y_stride, size_t head_size) {
    for (size_t r = 0; r < rows; r++, own += own_stride, y += y_stride) {
        const float *block = x + (size_t)row[r].own_start * x_stride;
        for (size_t i = 0; i < (size_t)row[r].own_count; i++) add_product(y, own[i], block + i * x_stride, head_size);
    }
}

static void attention_scores_backward(const ft_mask_row *row, size_t rows, const float *p, const float *slope,
                                      float *dscores, size_t stride, size_t columns, const float *own,
                                      const float *own_slope, float *own_gradient, size_t own_stride, const float *y,
                                      const float *dy, const float *q, size_t q_stride, const float *v, float *dk,
                                      float *dv, size_t k_stride, size_t head_size, float scale) {
    for (size_t r = 0; r < rows; r++) {
        float delta = dot(dy, y, head_size);
        size_t first = (size_t)row[r].first, last = (size_t)row[r].last, start = (size_t)row[r].own_start * k_stride;
        memset(dscores, 0, first * sizeof *dscores);
        memset(dscores + last, 0, (columns - last) * sizeof *dscores);
        if (slope)
            for (size_t i = first; i < last; i++) dscores[i] = p[i] * (dscores[i] - delta) * scale * slope[i];
        else
            for (size_t i = first; i < last; i++) dscores[i] = p[i] * (dscores[i] - delta) * scale;
        for (size_t i = 0; i < (size_t)row[r].own_count; i++) {
            size_t place = start + i * k_stride;
            float gradient = own[i] * (dot(dy, v + place, head_size) - delta) * scale;
            if (own_slope) gradient *= own_slope[i];
            own_gradient[i] = gradient;
            add_product(dv + place, own[i], dy, head_size);
            add_product(dk + place, gradient, q, head_size);
        }
        p += stride;
        dscores += stride;
        own += own_stride;
        own_gradient += own_stride;
        y += q_stride;
        dy += q_stride;
        q += q_stride;
        if (slope) slope += stride;
        if (own_slope) own_slope += own_stride;
    }
}

static int32_t argmax(const float *x, size_t n) {
    float most = largest(x, n, -INFINITY);
    for (size_t i = 0; i < n; i++)
        if (x[i] == most) return (int32_t)i;
    return -1; // not a number somewhere, or no elements
}

static double cross_entropy(float *logits, size_t n, const int32_t *target, const float *target_weight,
                            size_t target_count, float weight, float scale, float cap, int32_t *best) {
    scale_and_cap(logits, n, scale, cap, 0);
    *best = argmax(logits, n);
    float most = largest(logits, n, -INFINITY);
    float wanted = 0, mass = 0;
    double loss = 0;
    // The derivative of the cap needs the capped logits, which the exponentials overwrite at the targets' places.
    float kept[target_count ? target_count : 1];
    for (size_t t = 0; t < target_count; t++) {
        kept[t] = logits[target[t]];
        wanted += target_weight[t] * (kept[t] - most);
        mass += target_weight[t];
    }
    if (cap > 0) {
        float sum = 0, inverse_cap = 1.0f / cap;
        for (size_t i = 0; i < n; i++) sum += exponential(logits[i] - most);
        float factor = weight * mass / sum;
        for (size_t i = 0; i < n; i++) {
            float t = logits[i] * inverse_cap;
            logits[i] = exponential(logits[i] - most) * factor * scale * (1.0f - t * t);
        }
        loss = (double)mass * logf(sum) - (double)wanted;
        for (size_t t = 0; t < target_count; t++) {
            float u = kept[t] * inverse_cap;
            logits[target[t]] -= weight * target_weight[t] * scale * (1.0f - u * u);
        }
    } else {
        float sum = exponentials(logits, n, most);
        float factor = weight * mass * scale / sum;
        for (size_t i = 0; i < n; i++) logits[i] *= factor;
        loss = (double)mass * logf(sum) - (double)wanted;
        for (size_t t = 0; t < target_count; t++) logits[target[t]] -= weight * target_weight[t] * scale;
    }
    return loss;
}

static void top(const float *logits, size_t n, size_t count, int32_t *index, float *probability, float scale,
                float cap) {
    size_t held = 0;
    for (size_t i = 0; i < n; i++) {
        if (held == count && !(logits[i] > probability[held - 1])) continue;
        size_t place = held < count ? held++ : count - 1;
        while (place > 0 && logits[i] > probability[place - 1]) {
            probability[place] = probability[place - 1];
            index[place] = index[place - 1];
            place--;
        }
        probability[place] = logits[i];
        index[place] = (int32_t)i;
    }
    scale_and_cap(probability, held, scale, cap, 0);
    float most = largest(probability, held, -INFINITY);
    float sum = exponentials(probability, held, most);
    for (size_t i = 0; i < held; i++) probability[i] /= sum;
    for (size_t i = held; i < count; i++) {
        index[i] = 0;
        probability[i] = 0;
    }
}

static void adamw(float *parameter, const float *gradient, float *moment1, float *moment2, size_t count, float rate,
                  float beta1, float beta2, float epsilon, float decay, float correction1, float correction2,
                  float gradient_scale) {
    float rest1 = 1.0f - beta1, rest2 = 1.0f - beta2, inverse1 = 1.0f / correction1, inverse2 = 1.0f / correction2;
    for (size_t i = 0; i < count; i++) {
        float g = gradient[i] * gradient_scale;
        float m = beta1 * moment1[i] + rest1 * g;
        float v = beta2 * moment2[i] + rest2 * g * g;
        moment1[i] = m;
        moment2[i] = v;
        float step = m * inverse1 / (sqrtf(v * inverse2) + epsilon);
        parameter[i] -= rate * (step + decay * parameter[i]);
    }
}

const ft_training_kernels FT_TRAINING_TABLE = {
    .rms_norm = rms_norm,
    .rms_norm_backward = rms_norm_backward,
    .layer_norm = layer_norm,
    .layer_norm_backward = layer_norm_backward,
    .rotary = rotary,
    .gated = gated,
    .gated_backward = gated_backward,
    .silu = silu,
    .silu_backward = silu_backward,
    .add_scaled = add_scaled,
    .scale = scaled,
    .add_bias = add_bias,
    .column_sums = column_sums,
    .sum_of_squares = sum_of_squares,
    .squared_distance = squared_distance,
    .attention_probabilities = attention_probabilities,
    .attention_add_own = attention_add_own,
    .attention_scores_backward = attention_scores_backward,
    .cross_entropy = cross_entropy,
    .top = top,
    .argmax = argmax,
    .adamw = adamw,
};
