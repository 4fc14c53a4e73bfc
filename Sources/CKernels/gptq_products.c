#pragma STDC FP_CONTRACT OFF
#include "gptq.h"

// Compiled for AVX2 and plain from the same loops; sums have one order, so the bits are the same.

#if defined(__x86_64__)
#define CLONES __attribute__((target("avx2")))
#else
#define CLONES
#endif

typedef float wide __attribute__((ext_vector_type(8), aligned(4)));

#define PRODUCT_BODY                                                                                                   \
    size_t c = 0;                                                                                                      \
    for (; c + 16 <= columns; c += 16) {                                                                               \
        size_t r = 0;                                                                                                  \
        for (; r + 4 <= rows; r += 4) {                                                                                \
            wide s[4][2];                                                                                              \
            for (int i = 0; i < 4; i++) {                                                                              \
                s[i][0] = *(const wide *)(w + (r + (size_t)i) * stride + c);                                           \
                s[i][1] = *(const wide *)(w + (r + (size_t)i) * stride + c + 8);                                       \
            }                                                                                                          \
            for (size_t k = 0; k < depth; k++) {                                                                       \
                const wide u0 = *(const wide *)(u + k * uStride + c), u1 = *(const wide *)(u + k * uStride + c + 8);   \
                for (int i = 0; i < 4; i++) {                                                                          \
                    const float f = e[(r + (size_t)i) * 256 + k];                                                      \
                    s[i][0] -= f * u0;                                                                                 \
                    s[i][1] -= f * u1;                                                                                 \
                }                                                                                                      \
            }                                                                                                          \
            for (int i = 0; i < 4; i++) {                                                                              \
                *(wide *)(w + (r + (size_t)i) * stride + c) = s[i][0];                                                 \
                *(wide *)(w + (r + (size_t)i) * stride + c + 8) = s[i][1];                                             \
            }                                                                                                          \
        }                                                                                                              \
        for (; r < rows; r++) {                                                                                        \
            wide s0 = *(const wide *)(w + r * stride + c), s1 = *(const wide *)(w + r * stride + c + 8);               \
            for (size_t k = 0; k < depth; k++) {                                                                       \
                const float f = e[r * 256 + k];                                                                        \
                s0 -= f * *(const wide *)(u + k * uStride + c);                                                        \
                s1 -= f * *(const wide *)(u + k * uStride + c + 8);                                                    \
            }                                                                                                          \
            *(wide *)(w + r * stride + c) = s0;                                                                        \
            *(wide *)(w + r * stride + c + 8) = s1;                                                                    \
        }                                                                                                              \
    }                                                                                                                  \
    for (; c < columns; c++) {                                                                                         \
        for (size_t r = 0; r < rows; r++) {                                                                            \
            float s = w[r * stride + c];                                                                               \
            for (size_t k = 0; k < depth; k++) s -= e[r * 256 + k] * u[k * uStride + c];                               \
            w[r * stride + c] = s;                                                                                     \
        }                                                                                                              \
    }

CLONES static void product_fast(
    float *w, size_t stride, const float *e, const float *u, size_t uStride, size_t rows, size_t columns, size_t depth) {
    PRODUCT_BODY
}

static void product_plain(
    float *w, size_t stride, const float *e, const float *u, size_t uStride, size_t rows, size_t columns, size_t depth) {
    PRODUCT_BODY
}

void ft_subtract_product(
    float *w, size_t stride, const float *e, const float *u, size_t uStride, size_t rows, size_t columns, size_t depth) {
    if (ft_isa_supported(FT_ISA_AVX2)) product_fast(w, stride, e, u, uStride, rows, columns, depth);
    else product_plain(w, stride, e, u, uStride, rows, columns, depth);
}

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
