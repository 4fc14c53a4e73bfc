#pragma STDC FP_CONTRACT OFF
#include "matmul_kernels.h"
#include "weight_row.h"

#include <math.h>

// The definition of every product, an output at a time. What the other instruction sets are tested against.

static int32_t dot(const int32_t *codes, const int8_t *q, size_t count) {
    int32_t sum = 0;
    for (size_t k = 0; k < count; k++)
        sum += codes[k] * q[k];
    return sum;
}

static float block_chunk(
    const ft_traits *t, const uint8_t *chunk, size_t blocks, size_t lanes, size_t lane, const ft_activations32 *x,
    float acc) {
    size_t code_bytes = ft_block_code_bytes(t, lanes), halves = t->has_minimum ? 2 : 1;
    const uint8_t *scales = chunk + blocks * code_bytes;
    for (size_t b = 0; b < blocks; b++) {
        int32_t codes[FT_BLOCK];
        ft_lane_codes(t, chunk + b * code_bytes, lanes, lane, codes);
        int32_t sum = dot(codes, x->q + b * FT_BLOCK, FT_BLOCK) - t->offset * x->sum[b];
        float d = ft_read_scale(t, scales + (b * halves * lanes + lane) * 2);
        acc = fmaf((float)sum, d * x->scale[b], acc);
        if (t->has_minimum)
            acc = fmaf(ft_read_scale(t, scales + ((b * halves + 1) * lanes + lane) * 2), x->scaled_sum[b], acc);
    }
    return acc;
}

static float super_chunk(
    const ft_traits *t, const uint8_t *chunk, size_t lanes, size_t lane, const ft_activations256 *x, float acc) {
    size_t code_bytes = ft_block_code_bytes(t, lanes), halves = t->has_minimum ? 2 : 1;
    const uint8_t *scales = chunk + 8 * code_bytes, *last = scales + ft_scale_bytes(t, lanes, 8) - lanes * 2 * halves;
    int32_t sum = 0, minimum = 0;
    for (size_t b = 0; b < 8; b++) {
        int32_t codes[FT_BLOCK];
        ft_lane_codes(t, chunk + b * code_bytes, lanes, lane, codes);
        for (size_t k = 0; k < FT_BLOCK; k += t->sub_block) {
            size_t sub = (b * FT_BLOCK + k) / t->sub_block;
            int32_t total = t->sub_block == 16 ? x->sum16[sub] : x->sum32[sub];
            int32_t inner = dot(codes + k, x->q + b * FT_BLOCK + k, t->sub_block) - t->offset * total;
            sum += ft_sub_scale(t, scales, lanes, lane, sub) * inner;
            if (t->has_minimum)
                minimum += ft_sub_minimum(t, scales, lanes, lane, sub) * total;
        }
    }
    acc = fmaf((float)sum, ft_read_scale(t, last + lane * 2) * x->scale, acc);
    if (t->has_minimum)
        acc = fmaf(-(float)minimum, ft_read_scale(t, last + (lanes + lane) * 2) * x->scale, acc);
    return acc;
}

static void quantized_panel(
    const ft_weights *w, const uint8_t *panel, const ft_activations *x, ft_rows rows, float *out) {
    const ft_traits *t = ft_traits_of(w->type);
    for (size_t r = rows.first; r < rows.last; r++)
        for (size_t lane = 0; lane < w->lanes; lane++) {
            float acc = 0;
            for (size_t c = 0; c < ft_chunk_count(w->columns); c++) {
                const uint8_t *chunk = panel + c * ft_chunk_bytes(t, w->lanes, 8);
                size_t blocks = ft_min_size(FT_CHUNK, w->columns - c * FT_CHUNK) / FT_BLOCK;
                acc = t->is_super
                    ? super_chunk(t, chunk, w->lanes, lane, &x->blocks256[c * x->rows + r], acc)
                    : block_chunk(t, chunk, blocks, w->lanes, lane, &x->blocks32[c * x->rows + r], acc);
            }
            out[(r - rows.first) * w->lanes + lane] = acc;
        }
}

static float float_element(ft_type type, const uint8_t *at) {
    float value;
    switch (type) {
    case FT_F32:
        memcpy(&value, at, 4);
        return value;
    case FT_F16:
        return ft_load_half(at);
    default:
        return ft_float_of_bits((uint32_t)ft_load_u16(at) << 16);
    }
}

static void float_panel(
    const ft_weights *w, const uint8_t *panel, const ft_activations *x, ft_rows rows, float *out) {
    size_t element = ft_traits_of(w->type)->block_bytes;
    for (size_t r = rows.first; r < rows.last; r++)
        for (size_t lane = 0; lane < w->lanes; lane++) {
            float total = 0;
            for (size_t start = 0; start < w->columns; start += FT_CHUNK) {
                size_t end = start + ft_min_size(FT_CHUNK, w->columns - start);
                float sums[4] = {0};
                for (size_t k = start; k < end; k++) {
                    float weight = float_element(w->type, panel + (k * w->lanes + lane) * element);
                    sums[k % 4] = fmaf(weight, x->values[r * x->stride + k], sums[k % 4]);
                }
                total = total + ((sums[0] + sums[1]) + (sums[2] + sums[3]));
            }
            out[(r - rows.first) * w->lanes + lane] = total;
        }
}

ft_panel_kernel ft_panel_kernel_scalar(ft_type type) {
    return ft_traits_of(type)->is_float ? float_panel : quantized_panel;
}
