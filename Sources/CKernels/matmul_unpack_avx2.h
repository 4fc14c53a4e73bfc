#ifndef FORETOKEN_MATMUL_UNPACK_AVX2_H
#define FORETOKEN_MATMUL_UNPACK_AVX2_H

#include "matmul_avx2.h"

#if defined(__x86_64__)

// Quad `quad` of a plane of `bits` bits: 4 codes of each of 8 rows as bytes.
FT_AVX2_INLINE __m256i ft_plane_quad_avx2(const uint8_t *plane, int bits, int quad) {
    __m256i v = _mm256_loadu_si256((const __m256i *)(plane + quad % bits * 32));
    if (bits == 8)
        return v;
    return _mm256_and_si256(_mm256_srli_epi16(v, quad / bits * bits), _mm256_set1_epi8((char)((1 << bits) - 1)));
}

FT_AVX2_INLINE void ft_unpack_codes_avx2(ft_shape s, const uint8_t *source, size_t blocks, ft_unpacked_avx2 *to) {
    __m256i table = _mm256_setzero_si256();
    if (s.table)
        table = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)ft_traits_of(s.type)->table));
    for (size_t b = 0; b < blocks; b++, source += 32 * (s.low + s.high)) {
        ft_fetch_ahead(source, 32 * (size_t)(s.low + s.high));
#pragma clang loop unroll(full)
        for (int quad = 0; quad < 8; quad++) {
            __m256i v = ft_plane_quad_avx2(source, s.low, quad);
            if (s.high)
                v = _mm256_or_si256(
                    v, _mm256_slli_epi16(ft_plane_quad_avx2(source + 32 * s.low, s.high, quad), s.low));
            if (s.table)
                v = _mm256_shuffle_epi8(table, v);
            if (s.bits == 8) {
                int16_t *wide = to->wide + (b * 8 + (size_t)quad) * 32;
                _mm256_store_si256((__m256i *)wide, _mm256_srai_epi16(_mm256_slli_epi16(v, 8), 8));
                _mm256_store_si256((__m256i *)(wide + 16), _mm256_srai_epi16(v, 8));
            } else {
                _mm256_store_si256((__m256i *)(to->codes + (b * 8 + (size_t)quad) * 32), v);
            }
        }
    }
}

FT_AVX2_INLINE __m256 ft_scales_avx2(ft_shape s, const uint8_t *source) {
    __m128i halves = _mm_loadu_si128((const __m128i *)source);
    if (s.type == FT_MXFP4)
        return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
    return _mm256_cvtph_ps(halves);
}

// Byte pairs of a pair of sub-blocks: [lane][2] as 16-bit integers.
FT_AVX2_INLINE __m256i ft_sub_pair_avx2(ft_shape s, const uint8_t *source) {
    __m128i bytes = _mm_loadu_si128((const __m128i *)source);
    return s.signed_scale ? _mm256_cvtepi8_epi16(bytes) : _mm256_cvtepu8_epi16(bytes);
}

FT_AVX2_INLINE void ft_unpack_super_scales_avx2(ft_shape s, const uint8_t *source, ft_unpacked_avx2 *to) {
    int pairs = FT_CHUNK / s.sub_block / 2;
    __m256i low = _mm256_set1_epi32(0xffff);
    for (int p = 0; p < pairs; p++) {
        __m256i pair = ft_sub_pair_avx2(s, source + p * 16);
        if (s.nibble_minimum) {
            _mm256_store_si256((__m256i *)to->minima[p], _mm256_srli_epi16(pair, 4));
            pair = _mm256_and_si256(pair, _mm256_set1_epi16(15));
        } else if (s.has_minimum) {
            _mm256_store_si256((__m256i *)to->minima[p], ft_sub_pair_avx2(s, source + (pairs + p) * 16));
        } else if (s.offset) {
            _mm256_store_si256((__m256i *)to->minima[p], pair);
        }
        __m256i first = _mm256_and_si256(pair, low), second = _mm256_andnot_si256(low, pair);
        first = _mm256_or_si256(first, _mm256_slli_epi32(first, 16));
        second = _mm256_or_si256(second, _mm256_srli_epi32(second, 16));
        _mm256_store_si256((__m256i *)to->scales[2 * p], first);
        _mm256_store_si256((__m256i *)to->scales[2 * p + 1], second);
    }
    source += pairs * 16 * (s.has_minimum && !s.nibble_minimum ? 2 : 1);
    _mm256_store_ps(to->d[0], ft_scales_avx2(s, source));
    if (s.has_minimum)
        _mm256_store_ps(to->m[0], ft_scales_avx2(s, source + 16));
}

FT_AVX2_INLINE void ft_unpack_block_scales_avx2(
    ft_shape s, const uint8_t *source, size_t blocks, ft_unpacked_avx2 *to) {
    for (size_t b = 0; b < blocks; b++, source += s.has_minimum ? 32 : 16) {
        _mm256_store_ps(to->d[b], ft_scales_avx2(s, source));
        if (s.has_minimum)
            _mm256_store_ps(to->m[b], ft_scales_avx2(s, source + 16));
    }
}

#endif
#endif
