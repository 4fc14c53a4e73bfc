#pragma STDC FP_CONTRACT OFF
#include "blocks_internal.h"

// ggml's codebook types: indices into a grid of points, signs apart.

// Seven stored sign bits and an eighth that makes their number even.
static inline uint8_t signs_of(uint32_t stored) {
    stored &= 127;
    return (uint8_t)(stored | (uint32_t)__builtin_parity(stored) << 7);
}

static inline void put_iq2(float *dst, float scale, uint16_t point, uint8_t signs) {
    static const float levels[4] = {8, 25, 43, 0};
    for (int j = 0; j < 8; j++) {
        const float v = scale * levels[point >> 2 * j & 3];
        dst[j] = signs >> j & 1 ? -v : v;
    }
}

// Four elements; `first` is the index of their sign bit.
static inline void put_iq3(float *dst, float scale, uint16_t point, const float *levels, uint8_t signs, int first) {
    for (int j = 0; j < 4; j++) {
        const float v = scale * levels[point >> 3 * j & 7];
        dst[j] = signs >> (first + j) & 1 ? -v : v;
    }
}

static inline void put_iq1(float *dst, float scale, uint16_t point, float delta) {
    for (int j = 0; j < 8; j++) dst[j] = scale * ((float)((point >> 2 * j & 3) - 1) + delta);
}

static void decode_iq2_xxs(const uint8_t *src, float *dst, size_t blocks) {
    for (; blocks > 0; blocks--, src += 66) {
        const float d = ft_load_half(src);
        for (int s = 0; s < 8; s++) {
            const uint8_t *indices = src + 2 + 8 * s;
            const uint32_t packed = ft_load_u32(indices + 4);
            const float scale = d * (0.5f + (float)(packed >> 28)) * 0.25f;
            for (int k = 0; k < 4; k++, dst += 8) {
                put_iq2(dst, scale, ft_iq2_xxs_grid[indices[k]], signs_of(packed >> 7 * k));
            }
        }
    }
}

static void decode_iq2_xs(const uint8_t *src, float *dst, size_t blocks) {
    for (; blocks > 0; blocks--, src += 74) {
        const float d = ft_load_half(src);
        for (int k = 0; k < 32; k++, dst += 8) {
            const uint16_t code = ft_load_u16(src + 2 + 2 * k);
            const float scale = d * (0.5f + (float)(src[66 + k / 4] >> k / 2 % 2 * 4 & 15)) * 0.25f;
            put_iq2(dst, scale, ft_iq2_xs_grid[code & 511], signs_of(code >> 9));
        }
    }
}

static void decode_iq2_s(const uint8_t *src, float *dst, size_t blocks) {
    for (; blocks > 0; blocks--, src += 82) {
        const float d = ft_load_half(src);
        for (int k = 0; k < 32; k++, dst += 8) {
            const int index = src[2 + k] | (src[66 + k / 4] >> k % 4 * 2 & 3) << 8;
            const float scale = d * (0.5f + (float)(src[74 + k / 4] >> k / 2 % 2 * 4 & 15)) * 0.25f;
            put_iq2(dst, scale, ft_iq2_s_grid[index], src[34 + k]);
        }
    }
}

static void decode_iq3_xxs(const uint8_t *src, float *dst, size_t blocks) {
    static const float levels[8] = {4, 12, 20, 28, 36, 44, 52, 62};
    for (; blocks > 0; blocks--, src += 98) {
        const float d = ft_load_half(src);
        for (int s = 0; s < 8; s++) {
            const uint32_t packed = ft_load_u32(src + 66 + 4 * s);
            const float scale = d * (0.5f + (float)(packed >> 28)) * 0.5f;
            for (int k = 0; k < 8; k++, dst += 4) {
                const uint8_t signs = signs_of(packed >> k / 2 * 7);
                put_iq3(dst, scale, ft_iq3_xxs_grid[src[2 + 8 * s + k]], levels, signs, k % 2 * 4);
            }
        }
    }
}

static void decode_iq3_s(const uint8_t *src, float *dst, size_t blocks) {
    static const float levels[8] = {1, 3, 5, 7, 9, 11, 13, 15};
    for (; blocks > 0; blocks--, src += 110) {
        const float d = ft_load_half(src);
        for (int k = 0; k < 64; k++, dst += 4) {
            const int index = src[2 + k] | (src[66 + k / 8] >> k % 8 & 1) << 8;
            const float scale = d * (float)(1 + 2 * (src[106 + k / 16] >> k / 8 % 2 * 4 & 15));
            put_iq3(dst, scale, ft_iq3_s_grid[index], levels, src[74 + k / 2], k % 2 * 4);
        }
    }
}

static void decode_iq1_s(const uint8_t *src, float *dst, size_t blocks) {
    for (; blocks > 0; blocks--, src += 50) {
        const float d = ft_load_half(src);
        for (int s = 0; s < 8; s++) {
            const uint16_t high = ft_load_u16(src + 34 + 2 * s);
            const float scale = d * (float)(2 * (high >> 12 & 7) + 1), delta = high & 0x8000 ? -0.125f : 0.125f;
            for (int k = 0; k < 4; k++, dst += 8) {
                put_iq1(dst, scale, ft_iq1_grid[src[2 + 4 * s + k] | (high >> 3 * k & 7) << 8], delta);
            }
        }
    }
}

// The half scale is spread over the top four bits of the four 16-bit words of sub-scales.
static void decode_iq1_m(const uint8_t *src, float *dst, size_t blocks) {
    for (; blocks > 0; blocks--, src += 56) {
        uint16_t words[4], half = 0;
        for (int i = 0; i < 4; i++) {
            words[i] = ft_load_u16(src + 48 + 2 * i);
            half = (uint16_t)(half | (words[i] >> 12) << 4 * i);
        }
        const float d = ft_float_of_half(half);
        for (int k = 0; k < 32; k++, dst += 8) {
            const int high = src[32 + k / 2] >> k % 2 * 4 & 15;
            const float scale = d * (float)(2 * (words[k / 8] >> k / 2 % 4 * 3 & 7) + 1);
            put_iq1(dst, scale, ft_iq1_grid[src[k] | (high & 7) << 8], high & 8 ? -0.125f : 0.125f);
        }
    }
}

ft_decode_blocks ft_codebook_decoder(ft_type type) {
    switch ((int)type) {
    case FT_IQ2_XXS: return decode_iq2_xxs;
    case FT_IQ2_XS: return decode_iq2_xs;
    case FT_IQ2_S: return decode_iq2_s;
    case FT_IQ3_XXS: return decode_iq3_xxs;
    case FT_IQ3_S: return decode_iq3_s;
    case FT_IQ1_S: return decode_iq1_s;
    case FT_IQ1_M: return decode_iq1_m;
    }
    return 0;
}
