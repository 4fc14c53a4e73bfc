#ifndef FORETOKEN_VECTOR_H
#define FORETOKEN_VECTOR_H

#include "instruction_set.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What a transformer does to one row between its matrix products. Every function's result depends on its arguments
// alone, and the order of its sums on n alone; arrays may overlap only where they are the same.
typedef struct {
    // out = x * weight / sqrt(mean(x^2) + epsilon); weight may be null. out may be x.
    void (*rms_norm)(float *out, const float *x, const float *weight, size_t n, float epsilon);
    // out = (x - mean) / sqrt(variance + epsilon) * weight + bias; bias may be null. out may be x.
    void (*layer_norm)(float *out, const float *x, const float *weight, const float *bias, size_t n, float epsilon);
    // Turns the first 2 * pairs elements of each head: (i, i + pairs), or (2i, 2i + 1) when interleaved.
    void (*rotate)(
        float *x, size_t heads, size_t head_size, const float *cosine, const float *sine, size_t pairs,
        bool interleaved);
    // x = x / (1 + exp(-x))
    void (*silu)(float *x, size_t n);
    // gate = silu(gate) * up
    void (*silu_multiply)(float *gate, const float *up, size_t n);
    // gate = gelu(gate) * up, gelu by its tanh approximation
    void (*gelu_multiply)(float *gate, const float *up, size_t n);
    // x = x + scale * y
    void (*add_scaled)(float *x, const float *y, float scale, size_t n);
    // x = x * scale
    void (*scale)(float *x, float scale, size_t n);
    // x = cap * tanh(x / cap)
    void (*soft_cap)(float *x, float cap, size_t n);
    // Sum of the squares added to `sums`, element by element.
    void (*add_squares)(float *sums, const float *x, size_t n);
    // Index of the first largest element; n > 0.
    size_t (*largest)(const float *x, size_t n);
    // Whether no element is infinite or not a number.
    bool (*all_finite)(const float *x, size_t n);
} ft_vector_kernels;

// The set's functions; scalar ones for a set without its own.
const ft_vector_kernels *ft_vector_kernels_for(ft_isa isa);

#endif
