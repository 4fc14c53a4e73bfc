#pragma STDC FP_CONTRACT OFF
#include "blocks_internal.h"

// ggml's types with blocks of 32 to 128 elements and one scale, and the ternary ones.

const int8_t ft_iq4_levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
const int8_t ft_e2m1_doubled[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

static void decode_q4_0(const uint8_t *src, float *dst, size_t blocks) {
    for (; blocks > 0; blocks--, src += 18, dst += 32) {
        const float d = ft_load_half(src);
        for (int j = 0; j < 16; j++) {
            dst[j] = d * (float)((src[2 + j] & 15) - 8);
            dst[j + 16] = d * (float)((src[2 + j] >> 4) - 8);
        }
    }
}

static void decode_q4_1(const uint8_t *src, float *dst, size_t blocks) {
    for (; blocks > 0; blocks--, src += 20, dst += 32) {
        const float d = ft_load_half(src), m = ft_load_half(src + 2);
        for (int j = 0; j < 16; j++) {
            dst[j] = d * (float)(src[4 + j] & 15) + m;
            dst[j + 16] = d * (float)(src[4 + j] >> 4) + m;
        }
    }
}

static void decode_q5_0(const uint8_t *src, float *dst, size_t blocks) {
    for (; blocks > 0; blocks--, src += 22, dst += 32) {
        const float d = ft_load_half(src);
        const uint32_t high = ft_load_u32(src + 2);
        for (int j = 0; j < 16; j++) {
            dst[j] = d * (float)((int)((src[6 + j] & 15) | (high >> j & 1) << 4) - 16);
            dst[j + 16] = d * (float)((int)((src[6 + j] >> 4) | (high >> (j + 16) & 1) << 4) - 16);
        }
    }
}

static void decode_q5_1(const uint8_t *src, float *dst, size_t blocks) {
    for (; blocks > 0; blocks--, src += 24, dst += 32) {
        const float d = ft_load_half(src), m = ft_load_half(src + 2);
        const uint32_t high = ft_load_u32(src + 4);
        for (int j = 0; j < 16; j++) {
            dst[j] = d * (float)((src[8 + j] & 15) | (high >> j & 1) << 4) + m;
            dst[j + 16] = d * (float)((src[8 + j] >> 4) | (high >> (j + 16) & 1) << 4) + m;
        }
    }
}

static void decode_q8_0(const uint8_t *src, float *dst, size_t blocks) {
    for (; blocks > 0; blocks--, src += 34, dst += 32) {
        const float d = ft_load_half(src);
        for (int j = 0; j < 32; j++) dst[j] = d * (float)(int8_t)src[2 + j];
    }
}

static void decode_q8_1(const uint8_t *src, float *dst, size_t blocks) {
    for (; blocks > 0; blocks--, src += 36, dst += 32) {
        const float d = ft_load_half(src);
        for (int j = 0; j < 32; j++) dst[j] = d * (float)(int8_t)src[4 + j];
    }
}

static void decode_iq4_nl(const uint8_t *src, float *dst, size_t blocks) {
    for (; blocks > 0; blocks--, src += 18, dst += 32) {
        const float d = ft_load_half(src);
        for (int j = 0; j < 16; j++) {
            dst[j] = d * (float)ft_iq4_levels[src[2 + j] & 15];
            dst[j + 16] = d * (float)ft_iq4_levels[src[2 + j] >> 4];
        }
    }
}

static void decode_mxfp4(const uint8_t *src, float *dst, size_t blocks) {
    for (; blocks > 0; blocks--, src += 17, dst += 32) {
        const float d = ft_half_of_e8m0(src[0]);
        for (int j = 0; j < 16; j++) {
            dst[j] = d * (float)ft_e2m1_doubled[src[1 + j] & 15];
            dst[j + 16] = d * (float)ft_e2m1_doubled[src[1 + j] >> 4];
        }
    }
}

static void decode_nvfp4(const uint8_t *src, float *dst, size_t blocks) {
    for (; blocks > 0; blocks--, src += 36) {
        for (int s = 0; s < 4; s++, dst += 16) {
            const float d = ft_half_of_ue4m3(src[s]);
            const uint8_t *codes = src + 4 + 8 * s;
            for (int j = 0; j < 8; j++) {
                dst[j] = d * (float)ft_e2m1_doubled[codes[j] & 15];
                dst[j + 8] = d * (float)ft_e2m1_doubled[codes[j] >> 4];
            }
        }
    }
}

// One bit an element: set means +d, clear -d.
static void decode_q1_0(const uint8_t *src, float *dst, size_t blocks) {
    for (; blocks > 0; blocks--, src += 18, dst += 128) {
        const float d = ft_load_half(src);
        for (int j = 0; j < 128; j++) dst[j] = src[2 + j / 8] >> j % 8 & 1 ? d : -d;
    }
}

// Two bits an element, four consecutive elements in a byte: -1, 0, 1, 2 times d.
static void decode_q2_0(const uint8_t *src, float *dst, size_t blocks) {
    for (; blocks > 0; blocks--, src += 18, dst += 64) {
        const float d = ft_load_half(src);
        for (int j = 0; j < 64; j++) dst[j] = d * (float)((src[2 + j / 4] >> 2 * (j % 4) & 3) - 1);
    }
}

// Five ternary digits in a byte, stored as the fraction digits/243 of 256; the most significant digit is the carry
// out of the byte when it is multiplied by three.
static float *decode_trits(const uint8_t *src, float *dst, int bytes, int digits, float d) {
    uint8_t power = 1;
    for (int k = 0; k < digits; k++, power *= 3) {
        for (int j = 0; j < bytes; j++) {
            const uint8_t shifted = (uint8_t)(src[j] * power);
            *dst++ = d * (float)((shifted * 3 >> 8) - 1);
        }
    }
    return dst;
}

static void decode_tq1_0(const uint8_t *src, float *dst, size_t blocks) {
    for (; blocks > 0; blocks--, src += 54) {
        const float d = ft_load_half(src + 52);
        dst = decode_trits(src, dst, 32, 5, d);
        dst = decode_trits(src + 32, dst, 16, 5, d);
        dst = decode_trits(src + 48, dst, 4, 4, d);
    }
}

static void decode_tq2_0(const uint8_t *src, float *dst, size_t blocks) {
    for (; blocks > 0; blocks--, src += 66, dst += 256) {
        const float d = ft_load_half(src + 64);
        for (int j = 0; j < 256; j++) {
            const uint8_t byte = src[j / 128 * 32 + j % 32];
            dst[j] = d * (float)((byte >> 2 * (j / 32 % 4) & 3) - 1);
        }
    }
}

ft_decode_blocks ft_small_block_decoder(ft_type type) {
    switch ((int)type) {
    case FT_Q4_0: return decode_q4_0;
    case FT_Q4_1: return decode_q4_1;
    case FT_Q5_0: return decode_q5_0;
    case FT_Q5_1: return decode_q5_1;
    case FT_Q8_0: return decode_q8_0;
    case FT_Q8_1: return decode_q8_1;
    case FT_IQ4_NL: return decode_iq4_nl;
    case FT_MXFP4: return decode_mxfp4;
    case FT_NVFP4: return decode_nvfp4;
    case FT_Q1_0: return decode_q1_0;
    case FT_Q2_0: return decode_q2_0;
    case FT_TQ1_0: return decode_tq1_0;
    case FT_TQ2_0: return decode_tq2_0;
    }
    return 0;
}
