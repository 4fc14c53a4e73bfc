#pragma STDC FP_CONTRACT OFF
#include "encode_internal.h"

// The types whose speed is bounded by memory; other types fall back to scalar. Same bytes.

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,fma,f16c")))

AVX2 static inline __m256 magnitude(__m256 v) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), v); }

AVX2 static inline float largest_of(__m256 v) {
    __m128 m = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    m = _mm_max_ps(m, _mm_movehl_ps(m, m));
    return _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
}

// Four vectors of 32-bit integers to 32 bytes in order, keeping the low byte of each as saturation leaves it.
AVX2 static inline __m256i packed_bytes(__m256i a, __m256i b, __m256i c, __m256i d) {
    const __m256i bytes = _mm256_packs_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
    return _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

// Half away from zero, as roundf; |v| < 2^22.
AVX2 static inline __m256i rounded_away(__m256 v) {
    const __m256 whole = _mm256_round_ps(v, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC);
    const __m256 up = _mm256_cmp_ps(magnitude(_mm256_sub_ps(v, whole)), _mm256_set1_ps(0.5f), _CMP_GE_OQ);
    const __m256 one = _mm256_or_ps(_mm256_and_ps(v, _mm256_set1_ps(-0.0f)), _mm256_set1_ps(1));
    return _mm256_cvttps_epi32(_mm256_add_ps(whole, _mm256_and_ps(up, one)));
}

AVX2 static void nearest_q8_0(const float *src, uint8_t *dst, size_t n) {
    for (size_t i = 0; i < n; i += 32, dst += 34) {
        __m256 v[4];
        for (int k = 0; k < 4; k++) v[k] = _mm256_loadu_ps(src + i + 8 * k);
        const __m256 m = _mm256_max_ps(
            _mm256_max_ps(magnitude(v[0]), magnitude(v[1])), _mm256_max_ps(magnitude(v[2]), magnitude(v[3])));
        const float d = largest_of(m) / 127;
        const __m256 id = _mm256_set1_ps(d != 0 ? 1.0f / d : 0.0f);
        __m256i q[4];
        for (int k = 0; k < 4; k++) q[k] = rounded_away(_mm256_mul_ps(v[k], id));
        ft_store_half(dst, ft_half_of_float(d));
        _mm256_storeu_si256((__m256i *)(dst + 2), packed_bytes(q[0], q[1], q[2], q[3]));
    }
}

AVX2 static void nearest_q4_0(const float *src, uint8_t *dst, size_t n) {
    for (size_t i = 0; i < n; i += 32, dst += 18) {
        __m256 v[4], most = _mm256_setzero_ps(), least = _mm256_setzero_ps();
        for (int k = 0; k < 4; k++) {
            v[k] = _mm256_loadu_ps(src + i + 8 * k);
            most = _mm256_max_ps(most, v[k]);
            least = _mm256_min_ps(least, v[k]);
        }
        const float above = largest_of(most), below = largest_of(_mm256_sub_ps(_mm256_setzero_ps(), least));
        float peak = above > below ? above : below > 0 ? -below : 0;
        if (above == below && above > 0) {
            // The reference takes the first of equal magnitudes.
            for (size_t j = i; j < i + 32; j++) {
                if (src[j] == above || src[j] == -above) {
                    peak = src[j];
                    break;
                }
            }
        }
        const float d = peak / -8;
        const __m256 id = _mm256_set1_ps(d != 0 ? 1.0f / d : 0.0f), half = _mm256_set1_ps(8.5f);
        __m256i q[4];
        for (int k = 0; k < 4; k++) {
            const __m256i code = _mm256_cvttps_epi32(_mm256_add_ps(_mm256_mul_ps(v[k], id), half));
            // What does not fit becomes the least integer, whose low byte is 0.
            const __m256i fits = _mm256_cmpgt_epi32(code, _mm256_set1_epi32(INT32_MIN));
            q[k] = _mm256_and_si256(_mm256_min_epi32(code, _mm256_set1_epi32(15)), fits);
        }
        const __m256i bytes = packed_bytes(q[0], q[1], q[2], q[3]);
        const __m128i high = _mm_slli_epi16(_mm256_extracti128_si256(bytes, 1), 4);
        ft_store_half(dst, ft_half_of_float(d));
        _mm_storeu_si128((__m128i *)(dst + 2), _mm_or_si128(_mm256_castsi256_si128(bytes), high));
    }
}

AVX2 static void nearest_f16(const float *src, uint8_t *dst, size_t n) {
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m128i halves = _mm256_cvtps_ph(_mm256_loadu_ps(src + i), _MM_FROUND_TO_NEAREST_INT);
        _mm_storeu_si128((__m128i *)(dst + 2 * i), halves);
    }
    for (; i < n; i++) ft_store_half(dst + 2 * i, ft_half_of_float(src[i]));
}

bool ft_nearest_row_avx2(ft_type type, const float *src, uint8_t *dst, size_t n) {
    switch ((int)type) {
    case FT_Q8_0: nearest_q8_0(src, dst, n); return true;
    case FT_Q4_0: nearest_q4_0(src, dst, n); return true;
    case FT_F16: nearest_f16(src, dst, n); return true;
    }
    return false;
}
#endif
