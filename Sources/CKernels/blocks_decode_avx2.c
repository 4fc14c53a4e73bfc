#pragma STDC FP_CONTRACT OFF
#include "blocks_internal.h"

// The types that most files are made of, eight elements at a time. The same products and sums in the same order as the
// scalar decoders, so the same bits.

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,fma,f16c")))

AVX2 static void decode_f16(const uint8_t *src, float *dst, size_t n) {
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        _mm256_storeu_ps(dst + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(src + 2 * i))));
    }
    for (; i < n; i++) dst[i] = ft_load_half(src + 2 * i);
}

AVX2 static void decode_bf16(const uint8_t *src, float *dst, size_t n) {
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(src + 2 * i)));
        _mm256_storeu_si256((__m256i *)(dst + i), _mm256_slli_epi32(wide, 16));
    }
    for (; i < n; i++) dst[i] = ft_float_of_bits((uint32_t)ft_load_u16(src + 2 * i) << 16);
}

// Eight signed bytes to floats.
AVX2 static inline __m256 floats_of(__m128i bytes) { return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes)); }

// Sixteen signed bytes times a scale.
AVX2 static inline void put_scaled(float *dst, __m128i codes, __m256 scale) {
    _mm256_storeu_ps(dst, _mm256_mul_ps(scale, floats_of(codes)));
    _mm256_storeu_ps(dst + 8, _mm256_mul_ps(scale, floats_of(_mm_srli_si128(codes, 8))));
}

// Sixteen bytes times a scale, plus an offset.
AVX2 static inline void put_affine(float *dst, __m128i codes, __m256 scale, __m256 offset) {
    _mm256_storeu_ps(dst, _mm256_add_ps(_mm256_mul_ps(scale, floats_of(codes)), offset));
    const __m256 upper = floats_of(_mm_srli_si128(codes, 8));
    _mm256_storeu_ps(dst + 8, _mm256_add_ps(_mm256_mul_ps(scale, upper), offset));
}

AVX2 static inline __m128i low_nibbles(__m128i v) { return _mm_and_si128(v, _mm_set1_epi8(15)); }
AVX2 static inline __m128i high_nibbles(__m128i v) { return low_nibbles(_mm_srli_epi16(v, 4)); }
AVX2 static inline __m128i load16(const uint8_t *p) { return _mm_loadu_si128((const __m128i *)p); }

AVX2 static void decode_q8_0(const uint8_t *src, float *dst, size_t blocks) {
    for (; blocks > 0; blocks--, src += 34, dst += 32) {
        const __m256 d = _mm256_set1_ps(ft_load_half(src));
        put_scaled(dst, load16(src + 2), d);
        put_scaled(dst + 16, load16(src + 18), d);
    }
}

AVX2 static void decode_q4_0(const uint8_t *src, float *dst, size_t blocks) {
    const __m128i eight = _mm_set1_epi8(8);
    for (; blocks > 0; blocks--, src += 18, dst += 32) {
        const __m256 d = _mm256_set1_ps(ft_load_half(src));
        const __m128i codes = load16(src + 2);
        put_scaled(dst, _mm_sub_epi8(low_nibbles(codes), eight), d);
        put_scaled(dst + 16, _mm_sub_epi8(high_nibbles(codes), eight), d);
    }
}

AVX2 static void decode_q4_1(const uint8_t *src, float *dst, size_t blocks) {
    for (; blocks > 0; blocks--, src += 20, dst += 32) {
        const __m256 d = _mm256_set1_ps(ft_load_half(src)), m = _mm256_set1_ps(ft_load_half(src + 2));
        const __m128i codes = load16(src + 4);
        put_affine(dst, low_nibbles(codes), d, m);
        put_affine(dst + 16, high_nibbles(codes), d, m);
    }
}

AVX2 static void decode_iq4_nl(const uint8_t *src, float *dst, size_t blocks) {
    const __m128i levels = _mm_loadu_si128((const __m128i *)ft_iq4_levels);
    for (; blocks > 0; blocks--, src += 18, dst += 32) {
        const __m256 d = _mm256_set1_ps(ft_load_half(src));
        const __m128i codes = load16(src + 2);
        put_scaled(dst, _mm_shuffle_epi8(levels, low_nibbles(codes)), d);
        put_scaled(dst + 16, _mm_shuffle_epi8(levels, high_nibbles(codes)), d);
    }
}

AVX2 static void decode_iq4_xs(const uint8_t *src, float *dst, size_t blocks) {
    const __m128i levels = _mm_loadu_si128((const __m128i *)ft_iq4_levels);
    for (; blocks > 0; blocks--, src += 136) {
        const float d = ft_load_half(src);
        const uint16_t high = ft_load_u16(src + 2);
        for (int s = 0; s < 8; s++, dst += 32) {
            const int scale = (src[4 + s / 2] >> s % 2 * 4 & 15) | (high >> 2 * s & 3) << 4;
            const __m256 ds = _mm256_set1_ps(d * (float)(scale - 32));
            const __m128i codes = load16(src + 8 + 16 * s);
            put_scaled(dst, _mm_shuffle_epi8(levels, low_nibbles(codes)), ds);
            put_scaled(dst + 16, _mm_shuffle_epi8(levels, high_nibbles(codes)), ds);
        }
    }
}

// x - y and x + (-y) are the same to the bit, so a minimum is added negated.
AVX2 static void decode_q4_k(const uint8_t *src, float *dst, size_t blocks) {
    for (; blocks > 0; blocks--, src += 144) {
        const float d = ft_load_half(src), dmin = ft_load_half(src + 2);
        for (int s = 0; s < 8; s++, dst += 32) {
            uint8_t scale, minimum;
            ft_k4_scale_min(src + 4, s, &scale, &minimum);
            const __m256 ds = _mm256_set1_ps(d * (float)scale), dm = _mm256_set1_ps(-(dmin * (float)minimum));
            for (int k = 0; k < 2; k++) {
                const __m128i codes = load16(src + 16 + s / 2 * 32 + 16 * k);
                put_affine(dst + 16 * k, s % 2 ? high_nibbles(codes) : low_nibbles(codes), ds, dm);
            }
        }
    }
}

AVX2 static void decode_q5_k(const uint8_t *src, float *dst, size_t blocks) {
    for (; blocks > 0; blocks--, src += 176) {
        const float d = ft_load_half(src), dmin = ft_load_half(src + 2);
        for (int s = 0; s < 8; s++, dst += 32) {
            uint8_t scale, minimum;
            ft_k4_scale_min(src + 4, s, &scale, &minimum);
            const __m256 ds = _mm256_set1_ps(d * (float)scale), dm = _mm256_set1_ps(-(dmin * (float)minimum));
            const __m128i bit = _mm_set1_epi8((char)(1 << s));
            for (int k = 0; k < 2; k++) {
                const __m128i codes = load16(src + 48 + s / 2 * 32 + 16 * k);
                const __m128i low = s % 2 ? high_nibbles(codes) : low_nibbles(codes);
                const __m128i set = _mm_cmpeq_epi8(_mm_and_si128(load16(src + 16 + 16 * k), bit), bit);
                put_affine(dst + 16 * k, _mm_or_si128(low, _mm_and_si128(set, _mm_set1_epi8(16))), ds, dm);
            }
        }
    }
}

AVX2 static void decode_q6_k(const uint8_t *src, float *dst, size_t blocks) {
    const __m128i offset = _mm_set1_epi8(32), two_bits = _mm_set1_epi8(3);
    for (; blocks > 0; blocks--, src += 210) {
        const int8_t *scales = (const int8_t *)src + 192;
        const float d = ft_load_half(src + 208);
        for (int s = 0; s < 16; s++, dst += 16) {
            const __m128i codes = load16(src + s / 8 * 64 + s % 4 * 16);
            const __m128i low = s / 4 % 2 ? high_nibbles(codes) : low_nibbles(codes);
            const __m128i packed = load16(src + 128 + s / 8 * 32 + s % 2 * 16);
            const __m128i shifted = _mm_srl_epi16(packed, _mm_cvtsi32_si128(s / 2 % 4 * 2));
            const __m128i high = _mm_slli_epi16(_mm_and_si128(shifted, two_bits), 4);
            put_scaled(dst, _mm_sub_epi8(_mm_or_si128(low, high), offset), _mm256_set1_ps(d * (float)scales[s]));
        }
    }
}

ft_decode_blocks ft_avx2_decoder(ft_type type) {
    switch ((int)type) {
    case FT_F16: return decode_f16;
    case FT_BF16: return decode_bf16;
    case FT_Q8_0: return decode_q8_0;
    case FT_Q4_0: return decode_q4_0;
    case FT_Q4_1: return decode_q4_1;
    case FT_IQ4_NL: return decode_iq4_nl;
    case FT_IQ4_XS: return decode_iq4_xs;
    case FT_Q4_K: return decode_q4_k;
    case FT_Q5_K: return decode_q5_k;
    case FT_Q6_K: return decode_q6_k;
    }
    return 0;
}
#else
ft_decode_blocks ft_avx2_decoder(ft_type type) {
    (void)type;
    return 0;
}
#endif
