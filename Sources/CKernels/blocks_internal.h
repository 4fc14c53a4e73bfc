#ifndef FORETOKEN_BLOCKS_INTERNAL_H
#define FORETOKEN_BLOCKS_INTERNAL_H

#include <stdint.h>
#include <string.h>

#include "row_codec.h"

// One decoder of whole blocks; src is packed blocks, dst has room for all their elements.
typedef void (*ft_decode_blocks)(const uint8_t *src, float *dst, size_t blocks);

ft_decode_blocks ft_float_decoder(ft_type type);
ft_decode_blocks ft_small_block_decoder(ft_type type);
ft_decode_blocks ft_k_decoder(ft_type type);
ft_decode_blocks ft_codebook_decoder(ft_type type);
ft_decode_blocks ft_avx2_decoder(ft_type type);

// IQ4's 16 levels, and E2M1's doubled so that they are integers (the scale is halved to match).
extern const int8_t ft_iq4_levels[16];
extern const int8_t ft_e2m1_doubled[16];

// Codebooks of the IQ types. An entry packs its elements from the lowest bits up, two bits each (IQ2: 0, 1, 2 mean
// 8, 25, 43; IQ1: -1, 0, 1), or three bits each for IQ3 (XXS: 8v + 4 except 62 for 7; S: 2v + 1).
extern const uint16_t ft_iq2_xxs_grid[256];
extern const uint16_t ft_iq2_xs_grid[512];
extern const uint16_t ft_iq2_s_grid[1024];
extern const uint16_t ft_iq3_xxs_grid[256];
extern const uint16_t ft_iq3_s_grid[512];
extern const uint16_t ft_iq1_grid[2048];

static inline uint16_t ft_load_u16(const uint8_t *p) {
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline uint32_t ft_load_u32(const uint8_t *p) {
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline float ft_float_of_bits(uint32_t bits) {
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static inline uint32_t ft_bits_of_float(float v) {
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

// IEEE half to float, exact, subnormals and infinities included.
static inline float ft_float_of_half(uint16_t h) {
    const uint32_t sign = (uint32_t)(h & 0x8000) << 16;
    const uint32_t magnitude = h & 0x7FFF;
    if (magnitude >= 0x7C00) return ft_float_of_bits(sign | 0x7F800000 | (magnitude & 0x3FF) << 13);
    // A half's bits shifted into place are a float 2^112 too small, whether normal or subnormal.
    const float scaled = ft_float_of_bits(magnitude << 13) * 0x1p112f;
    return ft_float_of_bits(sign | ft_bits_of_float(scaled));
}

// Float to IEEE half, nearest even; overflow gives infinity, NaN stays NaN.
static inline uint16_t ft_half_of_float(float v) {
    const uint32_t bits = ft_bits_of_float(v);
    const uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    const uint32_t magnitude = bits & 0x7FFFFFFF;
    if (magnitude > 0x7F800000) return sign | 0x7E00 | (uint16_t)(magnitude >> 13 & 0x3FF);
    if (magnitude >= 0x477FF000) return sign | 0x7C00;
    if (magnitude < 0x38800000) {
        // Below half's smallest normal: adding 0.5 leaves the rounded count of 2^-24 in the low bits.
        return sign | (uint16_t)(ft_bits_of_float(ft_float_of_bits(magnitude) + 0.5f) & 0x7FF);
    }
    return sign | (uint16_t)((magnitude - 0x38000000 + 0xFFF + (magnitude >> 13 & 1)) >> 13);
}

static inline float ft_load_half(const uint8_t *p) { return ft_float_of_half(ft_load_u16(p)); }

static inline void ft_store_half(uint8_t *p, uint16_t h) { memcpy(p, &h, sizeof h); }

// Scale of MXFP4 for doubled levels: 2^(e - 128), exact down to subnormals.
static inline float ft_half_of_e8m0(uint8_t e) {
    return ft_float_of_bits(e < 2 ? 0x00200000u << e : (uint32_t)(e - 1) << 23);
}

// Scale of NVFP4 for doubled levels: half of an unsigned E4M3.
static inline float ft_half_of_ue4m3(uint8_t x) {
    if (x == 0 || x == 0x7F) return 0;
    const int exponent = x >> 3 & 15;
    const float mantissa = (float)(x & 7);
    if (exponent == 0) return mantissa * 0x1p-10f;
    return (1.0f + mantissa / 8.0f) * ft_float_of_bits((uint32_t)(exponent - 8 + 127) << 23);
}

// The sub-block scale and minimum j of Q4_K and Q5_K: eight pairs of six bits in twelve bytes.
static inline void ft_k4_scale_min(const uint8_t *scales, int j, uint8_t *scale, uint8_t *minimum) {
    if (j < 4) {
        *scale = scales[j] & 63;
        *minimum = scales[j + 4] & 63;
    } else {
        *scale = (uint8_t)((scales[j + 4] & 15) | (scales[j - 4] >> 6) << 4);
        *minimum = (uint8_t)((scales[j + 4] >> 4) | (scales[j] >> 6) << 4);
    }
}

#endif
