#pragma STDC FP_CONTRACT OFF
#include "matmul_kernels.h"

#if defined(__aarch64__)

#include <arm_neon.h>

#define INLINE __attribute__((always_inline)) static inline

enum { TILE = 3, LANES = 8 };

// Column k of 4 rows as floats.
INLINE float32x4_t column(ft_type type, const uint8_t *panel, size_t k, size_t half) {
    if (type == FT_F32)
        return vld1q_f32((const float *)panel + k * LANES + 4 * half);
    uint16x4_t v = vreinterpret_u16_u8(vld1_u8(panel + k * LANES * 2 + 8 * half));
    return type == FT_F16 ? vcvt_f32_f16(vreinterpret_f16_u16(v)) : vreinterpretq_f32_u32(vshll_n_u16(v, 16));
}

// A chunk for `tile` rows: four sums each, by column modulo 4.
INLINE void float_tile(
    ft_type type, int tile, const uint8_t *chunk, size_t columns, const float *x, size_t x_stride, bool first,
    float *out) {
    float32x4_t sums[TILE][4][2];
    for (int r = 0; r < tile; r++)
        for (int j = 0; j < 4; j++)
            sums[r][j][0] = sums[r][j][1] = vdupq_n_f32(0);
    for (size_t k = 0; k < columns; k += 4)
        for (size_t j = 0; j < 4 && k + j < columns; j++)
            for (size_t half = 0; half < 2; half++) {
                float32x4_t w = column(type, chunk, k + j, half);
                for (int r = 0; r < tile; r++)
                    sums[r][j][half] =
                        vfmaq_f32(sums[r][j][half], w, vdupq_n_f32(x[(size_t)r * x_stride + k + j]));
            }
    for (int r = 0; r < tile; r++)
        for (int half = 0; half < 2; half++) {
            float *to = out + r * LANES + 4 * half;
            float32x4_t acc = first ? vdupq_n_f32(0) : vld1q_f32(to);
            float32x4_t left = vaddq_f32(sums[r][0][half], sums[r][1][half]);
            float32x4_t right = vaddq_f32(sums[r][2][half], sums[r][3][half]);
            vst1q_f32(to, vaddq_f32(acc, vaddq_f32(left, right)));
        }
}

INLINE void float_panel(
    ft_type type, size_t element, const ft_weights *w, const uint8_t *panel, const ft_activations *x, ft_rows rows,
    float *out) {
    size_t count = rows.last - rows.first, tiles = (count + TILE - 1) / TILE;
    for (size_t start = 0; start < w->columns; start += FT_CHUNK) {
        size_t columns = ft_min_size(FT_CHUNK, w->columns - start);
        const uint8_t *chunk = panel + start * LANES * element;
        for (size_t i = 0; i < tiles; i++) {
            size_t r = count * i / tiles, tile = count * (i + 1) / tiles - r;
            const float *from = x->values + (rows.first + r) * x->stride + start;
            float *to = out + r * LANES;
            switch (tile) {
            case 1: float_tile(type, 1, chunk, columns, from, x->stride, start == 0, to); break;
            case 2: float_tile(type, 2, chunk, columns, from, x->stride, start == 0, to); break;
            default: float_tile(type, 3, chunk, columns, from, x->stride, start == 0, to); break;
            }
        }
    }
}

void ft_panel_floats_neon(
    const ft_weights *w, const uint8_t *panel, const ft_activations *x, ft_rows rows, float *out) {
    switch (w->type) {
    case FT_F32: float_panel(FT_F32, 4, w, panel, x, rows, out); break;
    case FT_F16: float_panel(FT_F16, 2, w, panel, x, rows, out); break;
    default: float_panel(FT_BF16, 2, w, panel, x, rows, out); break;
    }
}

#endif
