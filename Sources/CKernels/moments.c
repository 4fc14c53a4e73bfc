#pragma STDC FP_CONTRACT OFF
#include "moments.h"

#include "instruction_set.h"

#include <stddef.h>

// Compiled for AVX2 and plain from the same loops; sums have one order, so the bits are the same.

#if defined(__x86_64__)
#define CLONES __attribute__((target("avx2")))
#else
#define CLONES
#endif

typedef float wide __attribute__((ext_vector_type(8), aligned(4)));

#define GRAM_BODY                                                                                                      \
    for (size_t i = 0; i < n; i++) {                                                                                   \
        size_t j = i / 8 * 8;                                                                                          \
        for (; j + 8 <= n; j += 8) {                                                                                   \
            wide s = 0;                                                                                                \
            for (size_t r = 0; r < rows; r++) s += x[r * stride + i] * *(const wide *)(x + r * stride + j);            \
            *(wide *)(h + i * n + j) += s;                                                                             \
        }                                                                                                              \
        for (; j < n; j++) {                                                                                           \
            float s = 0;                                                                                               \
            for (size_t r = 0; r < rows; r++) s += x[r * stride + i] * x[r * stride + j];                              \
            h[i * n + j] += s;                                                                                         \
        }                                                                                                              \
    }

CLONES static void gram_fast(float *h, const float *x, size_t rows, size_t n, size_t stride) { GRAM_BODY }

static void gram_plain(float *h, const float *x, size_t rows, size_t n, size_t stride) { GRAM_BODY }

void ft_add_gram(float *h, const float *x, size_t rows, size_t n, size_t stride) {
    if (ft_isa_supported(FT_ISA_AVX2)) gram_fast(h, x, rows, n, stride);
    else gram_plain(h, x, rows, n, stride);
}

#define SKETCH_BODY                                                                                                    \
    enum { RUN = 64, WIDE = FT_SKETCH_WIDTH / 8 };                                                                     \
    wide seen[RUN][WIDE];                                                                                              \
    for (size_t first = 0; first < rows; first += RUN) {                                                               \
        const size_t count = rows - first < RUN ? rows - first : RUN;                                                  \
        for (size_t r = 0; r < count; r++) {                                                                           \
            wide sums[WIDE] = {0};                                                                                     \
            for (size_t j = 0; j < n; j++) {                                                                           \
                const wide *signs = (const wide *)(s + j * FT_SKETCH_WIDTH);                                           \
                for (int i = 0; i < WIDE; i++) sums[i] += x[(first + r) * n + j] * signs[i];                           \
            }                                                                                                          \
            for (int i = 0; i < WIDE; i++) seen[r][i] = sums[i];                                                       \
        }                                                                                                              \
        for (size_t j = 0; j < n; j++) {                                                                               \
            wide sums[WIDE] = {0};                                                                                     \
            for (size_t r = 0; r < count; r++) {                                                                       \
                for (int i = 0; i < WIDE; i++) sums[i] += x[(first + r) * n + j] * seen[r][i];                         \
            }                                                                                                          \
            wide *to = (wide *)(sketch + j * FT_SKETCH_WIDTH);                                                         \
            for (int i = 0; i < WIDE; i++) to[i] += sums[i];                                                           \
        }                                                                                                              \
    }

CLONES static void sketch_fast(float *sketch, const float *x, size_t rows, size_t n, const float *s) { SKETCH_BODY }

static void sketch_plain(float *sketch, const float *x, size_t rows, size_t n, const float *s) { SKETCH_BODY }

void ft_add_sketch(float *sketch, const float *x, size_t rows, size_t n, const float *s) {
    if (ft_isa_supported(FT_ISA_AVX2)) sketch_fast(sketch, x, rows, n, s);
    else sketch_plain(sketch, x, rows, n, s);
}
