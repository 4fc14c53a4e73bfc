#pragma STDC FP_CONTRACT OFF
#include "matmul_avx2.h"

#if defined(__x86_64__)

// Column k of 8 rows as floats.
FT_AVX2_INLINE __m256 column(ft_type type, const uint8_t *panel, size_t k) {
    if (type == FT_F32)
        return _mm256_loadu_ps((const float *)panel + k * 8);
    __m128i halves = _mm_loadu_si128((const __m128i *)(panel + k * 16));
    if (type == FT_F16)
        return _mm256_cvtph_ps(halves);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
}

// A chunk for `tile` rows: four sums each, by column modulo 4.
FT_AVX2_INLINE void float_tile(
    ft_type type, int tile, const uint8_t *chunk, size_t columns, const float *x, size_t x_stride, bool first,
    float *out) {
    __m256 sums[3][4];
    for (int r = 0; r < tile; r++)
        for (int j = 0; j < 4; j++)
            sums[r][j] = _mm256_setzero_ps();
    size_t whole = columns / 4 * 4;
    for (size_t k = 0; k < whole; k += 4)
#pragma clang loop unroll(full)
        for (size_t j = 0; j < 4; j++) {
            __m256 w = column(type, chunk, k + j);
            for (int r = 0; r < tile; r++)
                sums[r][j] = _mm256_fmadd_ps(w, _mm256_set1_ps(x[(size_t)r * x_stride + k + j]), sums[r][j]);
        }
#pragma clang loop unroll(full)
    for (size_t j = 0; j < 3; j++)
        if (whole + j < columns)
            for (int r = 0; r < tile; r++)
                sums[r][j] = _mm256_fmadd_ps(
                    column(type, chunk, whole + j), _mm256_set1_ps(x[(size_t)r * x_stride + whole + j]), sums[r][j]);
    for (int r = 0; r < tile; r++) {
        __m256 acc = first ? _mm256_setzero_ps() : _mm256_loadu_ps(out + r * 8);
        __m256 sum = _mm256_add_ps(_mm256_add_ps(sums[r][0], sums[r][1]), _mm256_add_ps(sums[r][2], sums[r][3]));
        _mm256_storeu_ps(out + r * 8, _mm256_add_ps(acc, sum));
    }
}

FT_AVX2_INLINE void float_panel(
    ft_type type, size_t element, const ft_weights *w, const uint8_t *panel, const ft_activations *x, ft_rows rows,
    float *out) {
    size_t count = rows.last - rows.first, tiles = (count + 2) / 3;
    for (size_t start = 0; start < w->columns; start += FT_CHUNK) {
        size_t columns = ft_min_size(FT_CHUNK, w->columns - start);
        const uint8_t *chunk = panel + start * 8 * element;
        for (size_t i = 0; i < tiles; i++) {
            size_t r = count * i / tiles, tile = count * (i + 1) / tiles - r;
            const float *from = x->values + (rows.first + r) * x->stride + start;
            float *to = out + r * 8;
            switch (tile) {
            case 1: float_tile(type, 1, chunk, columns, from, x->stride, start == 0, to); break;
            case 2: float_tile(type, 2, chunk, columns, from, x->stride, start == 0, to); break;
            default: float_tile(type, 3, chunk, columns, from, x->stride, start == 0, to); break;
            }
        }
    }
}

FT_AVX2 void ft_panel_floats_avx2(
    const ft_weights *w, const uint8_t *panel, const ft_activations *x, ft_rows rows, float *out) {
    switch (w->type) {
    case FT_F32: float_panel(FT_F32, 4, w, panel, x, rows, out); break;
    case FT_F16: float_panel(FT_F16, 2, w, panel, x, rows, out); break;
    default: float_panel(FT_BF16, 2, w, panel, x, rows, out); break;
    }
}

#endif
