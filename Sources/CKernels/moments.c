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

enum { WIDE = FT_SKETCH_WIDTH / 8 };

#define SEEN_BODY                                                                                                      \
    for (size_t r = 0; r < rows; r++) {                                                                                \
        wide sums[WIDE] = {0};                                                                                         \
        for (size_t j = 0; j < n; j++) {                                                                               \
            const wide *of = (const wide *)(signs + j * FT_SKETCH_WIDTH);                                              \
            for (int i = 0; i < WIDE; i++) sums[i] += x[r * n + j] * of[i];                                            \
        }                                                                                                              \
        wide *to = (wide *)(seen + r * FT_SKETCH_WIDTH);                                                               \
        for (int i = 0; i < WIDE; i++) to[i] = sums[i];                                                                \
    }

CLONES static void seen_fast(const float *x, size_t rows, size_t n, const float *signs, float *seen) { SEEN_BODY }

static void seen_plain(const float *x, size_t rows, size_t n, const float *signs, float *seen) { SEEN_BODY }

void ft_sketch_rows(const float *x, size_t rows, size_t n, const float *signs, float *seen) {
    if (ft_isa_supported(FT_ISA_AVX2)) seen_fast(x, rows, n, signs, seen);
    else seen_plain(x, rows, n, signs, seen);
}

// What was seen of a run of rows stays in the processor's cache while the columns go by.
#define SKETCH_BODY                                                                                                    \
    enum { RUN = 64 };                                                                                                 \
    for (size_t first = 0; first < rows; first += RUN) {                                                               \
        const size_t last = rows - first < RUN ? rows : first + RUN;                                                   \
        for (size_t j = from; j < end; j++) {                                                                          \
            wide sums[WIDE] = {0};                                                                                     \
            for (size_t r = first; r < last; r++) {                                                                    \
                const wide *of = (const wide *)(seen + r * FT_SKETCH_WIDTH);                                           \
                for (int i = 0; i < WIDE; i++) sums[i] += x[r * n + j] * of[i];                                        \
            }                                                                                                          \
            wide *to = (wide *)(sketch + j * FT_SKETCH_WIDTH);                                                         \
            for (int i = 0; i < WIDE; i++) to[i] += sums[i];                                                           \
        }                                                                                                              \
    }

CLONES static void sketch_fast(
    float *sketch, const float *x, size_t rows, size_t n, const float *seen, size_t from, size_t end) {
    SKETCH_BODY
}

static void sketch_plain(
    float *sketch, const float *x, size_t rows, size_t n, const float *seen, size_t from, size_t end) {
    SKETCH_BODY
}

void ft_sketch_columns(
    float *sketch, const float *x, size_t rows, size_t n, const float *seen, size_t from, size_t end) {
    if (ft_isa_supported(FT_ISA_AVX2)) sketch_fast(sketch, x, rows, n, seen, from, end);
    else sketch_plain(sketch, x, rows, n, seen, from, end);
}
