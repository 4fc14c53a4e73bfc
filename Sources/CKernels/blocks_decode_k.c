#pragma STDC FP_CONTRACT OFF
#include "blocks_internal.h"

// ggml's K types: 256 elements, sub-blocks of 16 or 32 with quantized scales.

static void decode_q2_k(const uint8_t *src, float *dst, size_t blocks) {
    for (; blocks > 0; blocks--, src += 84, dst += 256) {
        const float d = ft_load_half(src + 80), dmin = ft_load_half(src + 82);
        for (int s = 0; s < 16; s++) {
            const float scale = d * (float)(src[s] & 15), minimum = dmin * (float)(src[s] >> 4);
            const uint8_t *codes = src + 16 + s / 8 * 32 + s % 2 * 16;
            const int shift = s / 2 % 4 * 2;
            for (int j = 0; j < 16; j++) dst[16 * s + j] = scale * (float)(codes[j] >> shift & 3) - minimum;
        }
    }
}

static void decode_q3_k(const uint8_t *src, float *dst, size_t blocks) {
    for (; blocks > 0; blocks--, src += 110, dst += 256) {
        const uint8_t *scales = src + 96;
        const float d = ft_load_half(src + 108);
        for (int s = 0; s < 16; s++) {
            const int low = scales[s % 8] >> s / 8 * 4 & 15, high = scales[8 + s % 4] >> s / 4 * 2 & 3;
            const float scale = d * (float)((low | high << 4) - 32);
            const uint8_t *codes = src + 32 + s / 8 * 32 + s % 2 * 16, *mask = src + s % 2 * 16;
            const int shift = s / 2 % 4 * 2;
            for (int j = 0; j < 16; j++) {
                const int q = (codes[j] >> shift & 3) - (mask[j] >> s / 2 & 1 ? 0 : 4);
                dst[16 * s + j] = scale * (float)q;
            }
        }
    }
}

static void decode_q4_k(const uint8_t *src, float *dst, size_t blocks) {
    for (; blocks > 0; blocks--, src += 144, dst += 256) {
        const float d = ft_load_half(src), dmin = ft_load_half(src + 2);
        for (int s = 0; s < 8; s++) {
            uint8_t scale, minimum;
            ft_k4_scale_min(src + 4, s, &scale, &minimum);
            const float ds = d * (float)scale, dm = dmin * (float)minimum;
            const uint8_t *codes = src + 16 + s / 2 * 32;
            for (int j = 0; j < 32; j++) dst[32 * s + j] = ds * (float)(codes[j] >> s % 2 * 4 & 15) - dm;
        }
    }
}

static void decode_q5_k(const uint8_t *src, float *dst, size_t blocks) {
    for (; blocks > 0; blocks--, src += 176, dst += 256) {
        const float d = ft_load_half(src), dmin = ft_load_half(src + 2);
        const uint8_t *high = src + 16;
        for (int s = 0; s < 8; s++) {
            uint8_t scale, minimum;
            ft_k4_scale_min(src + 4, s, &scale, &minimum);
            const float ds = d * (float)scale, dm = dmin * (float)minimum;
            const uint8_t *codes = src + 48 + s / 2 * 32;
            for (int j = 0; j < 32; j++) {
                const int q = (codes[j] >> s % 2 * 4 & 15) | (high[j] >> s & 1) << 4;
                dst[32 * s + j] = ds * (float)q - dm;
            }
        }
    }
}

static void decode_q6_k(const uint8_t *src, float *dst, size_t blocks) {
    for (; blocks > 0; blocks--, src += 210, dst += 256) {
        const int8_t *scales = (const int8_t *)src + 192;
        const float d = ft_load_half(src + 208);
        for (int s = 0; s < 16; s++) {
            const float scale = d * (float)scales[s];
            const uint8_t *low = src + s / 8 * 64 + s % 4 * 16, *high = src + 128 + s / 8 * 32 + s % 2 * 16;
            const int lowShift = s / 4 % 2 * 4, highShift = s / 2 % 4 * 2;
            for (int j = 0; j < 16; j++) {
                const int q = ((low[j] >> lowShift & 15) | (high[j] >> highShift & 3) << 4) - 32;
                dst[16 * s + j] = scale * (float)q;
            }
        }
    }
}

static void decode_q8_k(const uint8_t *src, float *dst, size_t blocks) {
    for (; blocks > 0; blocks--, src += 292, dst += 256) {
        const float d = ft_float_of_bits(ft_load_u32(src));
        for (int j = 0; j < 256; j++) dst[j] = d * (float)(int8_t)src[4 + j];
    }
}

static void decode_iq4_xs(const uint8_t *src, float *dst, size_t blocks) {
    for (; blocks > 0; blocks--, src += 136, dst += 256) {
        const float d = ft_load_half(src);
        const uint16_t high = ft_load_u16(src + 2);
        for (int s = 0; s < 8; s++) {
            const int scale = (src[4 + s / 2] >> s % 2 * 4 & 15) | (high >> 2 * s & 3) << 4;
            const float ds = d * (float)(scale - 32);
            const uint8_t *codes = src + 8 + 16 * s;
            for (int j = 0; j < 16; j++) {
                dst[32 * s + j] = ds * (float)ft_iq4_levels[codes[j] & 15];
                dst[32 * s + j + 16] = ds * (float)ft_iq4_levels[codes[j] >> 4];
            }
        }
    }
}

ft_decode_blocks ft_k_decoder(ft_type type) {
    switch ((int)type) {
    case FT_Q2_K: return decode_q2_k;
    case FT_Q3_K: return decode_q3_k;
    case FT_Q4_K: return decode_q4_k;
    case FT_Q5_K: return decode_q5_k;
    case FT_Q6_K: return decode_q6_k;
    case FT_Q8_K: return decode_q8_k;
    case FT_IQ4_XS: return decode_iq4_xs;
    }
    return 0;
}
