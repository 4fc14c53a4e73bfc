#ifndef FORETOKEN_TRAINING_H
#define FORETOKEN_TRAINING_H

#include "instruction_set.h"
#include <stddef.h>
#include <stdint.h>

// What the trainer does between matrix products, on rows of float32. One source (training_rows.h) is compiled once
// for each instruction set; sums run in 16 lanes joined in a fixed order, so every set gives the same bits.
// Matrices are row-major; a `stride` is the distance in elements between rows.
// What a row of a chunk sees: columns [first, last) of the prefix, and `own_count` rows of its block from `own_start`.
typedef struct {
    int32_t first, last, own_start, own_count;
} ft_mask_row;

typedef struct {
    // y = x * r * weight, r = 1 / sqrt(mean(x^2) + epsilon); r is kept for the backward pass.
    void (*rms_norm)(const float *x, const float *weight, float *y, float *reciprocal, size_t rows, size_t n,
                     float epsilon);
    // dx = (or +=) r * (w dy - x r^2 mean(w dy x)); weight_gradient (may be null) += dy x r.
    void (*rms_norm_backward)(const float *dy, const float *x, const float *weight, const float *reciprocal, float *dx,
                              float *weight_gradient, size_t rows, size_t n, int accumulate);
    // y = (x - mean) * r * weight + bias; bias and its gradient may be null.
    void (*layer_norm)(const float *x, const float *weight, const float *bias, float *y, float *mean,
                       float *reciprocal, size_t rows, size_t n, float epsilon);
    void (*layer_norm_backward)(const float *dy, const float *x, const float *weight, const float *mean,
                                const float *reciprocal, float *dx, float *weight_gradient, float *bias_gradient,
                                size_t rows, size_t n);
    // Turns the first 2 * pairs elements of each head in place; table row `position[row]` holds cosines and sines.
    // `interleaved`: pairs are (2i, 2i + 1), else (i, i + pairs). `direction` is 1 forward, -1 backward.
    void (*rotary)(float *x, const int32_t *position, const float *cosine, const float *sine, size_t rows,
                   size_t heads, size_t head_size, size_t pairs, int interleaved, float direction);
    // Activation 0 is SiLU, 1 GELU's tanh form.
    void (*gated)(const float *gate, const float *up, float *y, size_t count, int activation);
    // In place: gate and up become their gradients.
    void (*gated_backward)(const float *dy, float *gate, float *up, size_t count, int activation);
    void (*silu)(const float *x, float *y, size_t count);
    void (*silu_backward)(const float *dy, const float *x, float *dx, size_t count);
    void (*add_scaled)(float *y, const float *x, float scale, size_t count);
    void (*scale)(float *y, const float *x, float scale, size_t count);
    // y[row] += bias.
    void (*add_bias)(float *y, const float *bias, size_t rows, size_t n);
    // sum[n] += the rows of x.
    void (*column_sums)(float *sum, const float *x, size_t rows, size_t n);
    double (*sum_of_squares)(const float *x, size_t count);
    // scale * mean over n of (z - anchor)^2, and dz += gradient_scale * (z - anchor).
    double (*squared_distance)(const float *z, const float *anchor, float *dz, size_t n, float gradient_scale);

    // For each row of a chunk and one head: scores against its own block (q . k), then softmax over columns
    // [first, last) of `scores` and the own scores together. Scores are multiplied by `scale`, then capped:
    // cap * tanh(s / cap) when cap > 0, whose derivatives go to the slopes (may be null). Columns outside become 0.
    void (*attention_probabilities)(const ft_mask_row *row, size_t rows, float *scores, float *slope,
                                    size_t stride, size_t columns, float *own, float *own_slope, size_t own_stride,
                                    const float *q, size_t q_stride, const float *k, size_t k_stride,
                                    size_t head_size, float scale, float cap);
    // y[row] += sum over its own block of own[i] * x[own_start + i].
    void (*attention_add_own)(const ft_mask_row *row, size_t rows, const float *own, size_t own_stride,
                              const float *x, size_t x_stride, float *y, size_t y_stride, size_t head_size);
    // Given probabilities and, in `dscores`, dy against the values of the prefix: scores' gradients in place, the own
    // block's in `own_gradient`; dk and dv of the own blocks are added to.
    void (*attention_scores_backward)(const ft_mask_row *row, size_t rows, const float *p, const float *slope,
                                      float *dscores, size_t stride, size_t columns, const float *own,
                                      const float *own_slope, float *own_gradient, size_t own_stride, const float *y,
                                      const float *dy, const float *q, size_t q_stride, const float *v, float *dk,
                                      float *dv, size_t k_stride, size_t head_size, float scale);

    // Cross-entropy of one row of logits against a sparse target distribution. Logits are multiplied by `scale` and
    // capped as attention scores are; on return the row holds weight * d loss / d logits (raw). Returns the loss,
    // unweighted; `best` gets the index of the largest logit.
    double (*cross_entropy)(float *logits, size_t n, const int32_t *target, const float *target_weight,
                            size_t target_count, float weight, float scale, float cap, int32_t *best);
    // The `count` largest logits of a row: indices and softmax over them alone, largest first; ties to the lower index.
    void (*top)(const float *logits, size_t n, size_t count, int32_t *index, float *probability, float scale,
                float cap);
    int32_t (*argmax)(const float *x, size_t n);

    // AdamW with decoupled decay; `correction1`, `correction2` are 1 - beta^t.
    void (*adamw)(float *parameter, const float *gradient, float *moment1, float *moment2, size_t count, float rate,
                  float beta1, float beta2, float epsilon, float decay, float correction1, float correction2,
                  float gradient_scale);
} ft_training_kernels;

const ft_training_kernels *ft_training_kernels_for(ft_isa isa);

#endif
