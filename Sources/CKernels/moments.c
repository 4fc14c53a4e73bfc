#pragma STDC FP_CONTRACT OFF
#include "moments.h"

#include "instruction_set.h"

#include <string.h>

// Compiled for AVX2 and plain from the same loops; sums have one order, so the bits are the same.

#if defined(__x86_64__)
#define CLONES __attribute__((target("avx2")))
#else
#define CLONES
#endif

typedef float wide __attribute__((ext_vector_type(8), aligned(4)));

void ft_pack_moment_rows(const float *x, size_t rows, size_t n, float *packed) {
    memset(packed, 0, ft_moment_panels(n) * FT_MOMENT_ROWS * FT_MOMENT_COLUMNS * sizeof(float));
    for (size_t j = 0; j < n; j += FT_MOMENT_COLUMNS, packed += FT_MOMENT_ROWS * FT_MOMENT_COLUMNS) {
        const size_t count = n - j < FT_MOMENT_COLUMNS ? n - j : FT_MOMENT_COLUMNS;
        for (size_t r = 0; r < rows; r++) {
            memcpy(packed + r * FT_MOMENT_COLUMNS, x + r * n + j, count * sizeof(float));
        }
    }
}

// Four rows of the result by a panel's columns at a time: two vectors of a panel meet four numbers of another.
#define GRAM_BODY                                                                                                      \
    enum { TILE = 4, PANEL = FT_MOMENT_ROWS * FT_MOMENT_COLUMNS };                                                     \
    for (size_t i = from; i < end; i += TILE) {                                                                        \
        const float *left = packed + i / FT_MOMENT_COLUMNS * PANEL + i % FT_MOMENT_COLUMNS;                            \
        const size_t height = n - i < TILE ? n - i : TILE;                                                             \
        for (size_t panel = i / FT_MOMENT_COLUMNS; panel < ft_moment_panels(n); panel++) {                             \
            const float *right = packed + panel * PANEL;                                                               \
            wide sums[TILE][2] = {0};                                                                                  \
            for (size_t r = 0; r < FT_MOMENT_ROWS; r++) {                                                              \
                const wide a = *(const wide *)(right + r * FT_MOMENT_COLUMNS);                                         \
                const wide b = *(const wide *)(right + r * FT_MOMENT_COLUMNS + 8);                                     \
                for (int k = 0; k < TILE; k++) {                                                                       \
                    sums[k][0] += left[r * FT_MOMENT_COLUMNS + (size_t)k] * a;                                         \
                    sums[k][1] += left[r * FT_MOMENT_COLUMNS + (size_t)k] * b;                                         \
                }                                                                                                      \
            }                                                                                                          \
            const size_t j = panel * FT_MOMENT_COLUMNS;                                                                \
            for (size_t k = 0; k < height; k++) {                                                                      \
                float *to = h + (i + k) * n + j;                                                                       \
                if (n - j >= FT_MOMENT_COLUMNS) {                                                                      \
                    *(wide *)to += sums[k][0];                                                                         \
                    *(wide *)(to + 8) += sums[k][1];                                                                   \
                } else {                                                                                               \
                    for (size_t c = 0; c < n - j; c++) to[c] += sums[k][c / 8][c % 8];                                 \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }

CLONES static void gram_fast(float *h, const float *packed, size_t n, size_t from, size_t end) { GRAM_BODY }

static void gram_plain(float *h, const float *packed, size_t n, size_t from, size_t end) { GRAM_BODY }

void ft_add_moments(float *h, const float *packed, size_t n, size_t from, size_t end) {
    if (ft_isa_supported(FT_ISA_AVX2)) gram_fast(h, packed, n, from, end);
    else gram_plain(h, packed, n, from, end);
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
