#pragma STDC FP_CONTRACT OFF
#include "weight_row.h"

static void unpack_float_row(const ft_weights *w, const uint8_t *panel, size_t lane, float *values) {
    for (size_t k = 0; k < w->columns; k++) {
        const uint8_t *at = panel + (k * w->lanes + lane) * ft_traits_of(w->type)->block_bytes;
        switch (w->type) {
        case FT_F32:
            memcpy(values + k, at, 4);
            break;
        case FT_F16:
            values[k] = ft_load_half(at);
            break;
        default:
            values[k] = ft_float_of_bits((uint32_t)ft_load_u16(at) << 16);
            break;
        }
    }
}

void ft_unpack_row(const ft_weights *w, size_t row, float *values) {
    if (w->lanes == 0) {
        ft_decode_row(w->type, w->data + row * ft_row_bytes(w), values, w->columns);
        return;
    }
    const ft_traits *t = ft_traits_of(w->type);
    size_t lanes = w->lanes, lane = row % lanes;
    const uint8_t *panel = w->data + row / lanes * ft_panel_bytes(w->type, lanes, w->columns);
    if (t->is_float) {
        unpack_float_row(w, panel, lane, values);
        return;
    }
    size_t code_bytes = ft_block_code_bytes(t, lanes), halves = t->has_minimum ? 2 : 1;
    for (size_t start = 0; start < w->columns; start += FT_CHUNK, panel += ft_chunk_bytes(t, lanes, 8)) {
        size_t blocks = ft_min_size(FT_CHUNK, w->columns - start) / FT_BLOCK;
        const uint8_t *scales = panel + blocks * code_bytes;
        for (size_t b = 0; b < blocks; b++) {
            int32_t codes[FT_BLOCK];
            ft_lane_codes(t, panel + b * code_bytes, lanes, lane, codes);
            float *out = values + start + b * FT_BLOCK;
            if (!t->is_super) {
                float d = ft_read_scale(t, scales + (b * halves * lanes + lane) * 2);
                float m = t->has_minimum ? ft_read_scale(t, scales + ((b * halves + 1) * lanes + lane) * 2) : 0;
                for (int k = 0; k < FT_BLOCK; k++) {
                    float value = (float)(codes[k] - t->offset) * d;
                    out[k] = t->has_minimum ? value + m : value; // adding 0 would lose the sign of -0
                }
                continue;
            }
            const uint8_t *last = scales + ft_scale_bytes(t, lanes, 8) - lanes * 2 * halves;
            float d = ft_read_scale(t, last + lane * 2);
            float m = t->has_minimum ? ft_read_scale(t, last + (lanes + lane) * 2) : 0;
            for (int k = 0; k < FT_BLOCK; k++) {
                size_t sub = (b * FT_BLOCK + (size_t)k) / t->sub_block;
                float scale = d * (float)ft_sub_scale(t, scales, lanes, lane, sub);
                float value = scale * (float)(codes[k] - t->offset);
                out[k] = t->has_minimum ? value - m * (float)ft_sub_minimum(t, scales, lanes, lane, sub) : value;
            }
        }
    }
}
