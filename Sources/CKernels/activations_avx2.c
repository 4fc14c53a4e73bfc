#pragma STDC FP_CONTRACT OFF
#include "matmul_avx2.h"

#if defined(__x86_64__)

#include <math.h>

// The same bits as activations_scalar.c: magnitudes are compared as integers, rounding is to nearest even.

FT_AVX2_INLINE uint32_t largest_lane(__m256i v) {
    __m128i m = _mm_max_epu32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 0x4e));
    m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 0xb1));
    return (uint32_t)_mm_cvtsi128_si32(m);
}

FT_AVX2_INLINE __m256i magnitudes(__m256 v) {
    return _mm256_and_si256(_mm256_castps_si256(v), _mm256_set1_epi32(0x7fffffff));
}

// As in activations_scalar.c.
FT_AVX2_INLINE float scale_of(uint32_t largest, float *inverse) {
    *inverse = 0;
    if (largest >= 0x7f800000)
        return NAN;
    float magnitude = ft_float_of_bits(largest);
    if (magnitude < 0x1p-100f)
        return 0;
    *inverse = 127.0f / magnitude;
    return magnitude / 127.0f;
}

// 32 values to bytes in order.
FT_AVX2_INLINE __m256i quantized(const float *values, float inverse) {
    __m256 scale = _mm256_set1_ps(inverse);
    __m256i a = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(values), scale));
    __m256i b = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(values + 8), scale));
    __m256i c = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(values + 16), scale));
    __m256i d = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(values + 24), scale));
    __m256i bytes = _mm256_packs_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
    return _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

// Sums of 16 neighbours in lanes 0 and 1.
FT_AVX2_INLINE __m128i sums_of_16(__m256i bytes) {
    __m256i pairs = _mm256_maddubs_epi16(_mm256_set1_epi8(1), bytes);
    __m256i fours = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
    __m128i low = _mm256_castsi256_si128(fours), high = _mm256_extracti128_si256(fours, 1);
    __m128i both = _mm_hadd_epi32(low, high);
    return _mm_hadd_epi32(both, both);
}

FT_AVX2 void ft_quantize32_avx2(const float *values, size_t count, ft_activations32 *to) {
    for (size_t b = 0; b * FT_BLOCK < count; b++, values += FT_BLOCK) {
        __m256i most = _mm256_setzero_si256();
        for (int i = 0; i < 32; i += 8)
            most = _mm256_max_epu32(most, magnitudes(_mm256_loadu_ps(values + i)));
        float inverse, scale = scale_of(largest_lane(most), &inverse);
        __m256i bytes = inverse == 0 ? _mm256_setzero_si256() : quantized(values, inverse);
        _mm256_storeu_si256((__m256i *)(to->q + b * FT_BLOCK), bytes);
        __m128i sums = sums_of_16(bytes);
        int32_t sum = _mm_cvtsi128_si32(sums) + _mm_extract_epi32(sums, 1);
        to->scale[b] = scale;
        to->sum[b] = sum;
        to->minus_eight_sums[b] = -8 * sum;
        to->scaled_sum[b] = scale * (float)sum;
    }
}

FT_AVX2 void ft_quantize256_avx2(const float *values, ft_activations256 *to) {
    __m256i most = _mm256_setzero_si256();
    for (int i = 0; i < FT_CHUNK; i += 8)
        most = _mm256_max_epu32(most, magnitudes(_mm256_loadu_ps(values + i)));
    float inverse;
    to->scale = scale_of(largest_lane(most), &inverse);
    to->sum = 0;
    for (int b = 0; b < 8; b++) {
        __m256i bytes = inverse == 0 ? _mm256_setzero_si256() : quantized(values + b * FT_BLOCK, inverse);
        _mm256_storeu_si256((__m256i *)(to->q + b * FT_BLOCK), bytes);
        __m128i sums = sums_of_16(bytes);
        int32_t first = _mm_cvtsi128_si32(sums), second = _mm_extract_epi32(sums, 1);
        to->sum16[2 * b] = (int16_t)first;
        to->sum16[2 * b + 1] = (int16_t)second;
        to->sum32[b] = (int16_t)(first + second);
        to->sum += first + second;
    }
}

#endif
