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

// The codes of a quad that are multiplied: from the spread chunk, or out of the panel's planes.
FT_AVX2_INLINE __m256i ft_quad_avx2(ft_shape s, ft_chunk_avx2 w, size_t b, int quad) {
    if (w.spread)
        return _mm256_load_si256((const __m256i *)(w.spread->codes + (b * 8 + (size_t)quad) * 32));
    const uint8_t *planes = w.codes + b * 32 * (size_t)(s.low + s.high);
    __m256i v = ft_plane_quad_avx2(planes, s.low, quad);
    if (s.high)
        v = _mm256_or_si256(v, _mm256_slli_epi16(ft_plane_quad_avx2(planes + 32 * s.low, s.high, quad), s.low));
    return s.table ? _mm256_shuffle_epi8(w.table, v) : v;
}

// Asks for the codes that will be read some blocks later.
FT_AVX2_INLINE void ft_fetch_block_avx2(ft_shape s, ft_chunk_avx2 w, size_t b) {
    size_t bytes = 32 * (size_t)(s.low + s.high);
    if (!w.spread)
        ft_fetch_ahead(w.codes + b * bytes, bytes);
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

// Scales of a pair of sub-blocks, each [lane] twice over as 16-bit integers; returns what minima are made of, [lane][2].
FT_AVX2_INLINE __m256i ft_sub_scales_avx2(ft_shape s, ft_chunk_avx2 w, int pair, __m256i scales[2]) {
    if (w.spread) {
        scales[0] = _mm256_load_si256((const __m256i *)w.spread->scales[2 * pair]);
        scales[1] = _mm256_load_si256((const __m256i *)w.spread->scales[2 * pair + 1]);
        return _mm256_load_si256((const __m256i *)w.spread->minima[pair]);
    }
    __m256i low = _mm256_set1_epi32(0xffff);
    __m256i both = ft_sub_pair_avx2(s, w.scales + pair * 16), minima = both;
    if (s.nibble_minimum) {
        minima = _mm256_srli_epi16(both, 4);
        both = _mm256_and_si256(both, _mm256_set1_epi16(15));
    } else if (s.has_minimum) {
        minima = ft_sub_pair_avx2(s, w.scales + (FT_CHUNK / s.sub_block / 2 + pair) * 16);
    }
    __m256i first = _mm256_and_si256(both, low), second = _mm256_andnot_si256(low, both);
    scales[0] = _mm256_or_si256(first, _mm256_slli_epi32(first, 16));
    scales[1] = _mm256_or_si256(second, _mm256_srli_epi32(second, 16));
    return minima;
}

// Where the scales of block b begin; super-blocks have one behind those of their sub-blocks.
FT_AVX2_INLINE const uint8_t *ft_scale_place_avx2(ft_shape s, ft_chunk_avx2 w, size_t b) {
    if (s.is_super)
        return w.scales + FT_CHUNK / s.sub_block * 8 * (s.has_minimum && !s.nibble_minimum ? 2 : 1);
    return w.scales + b * (s.has_minimum ? 32 : 16);
}

FT_AVX2_INLINE __m256 ft_block_scale_avx2(ft_shape s, ft_chunk_avx2 w, size_t b) {
    return w.spread ? _mm256_load_ps(w.spread->d[b]) : ft_scales_avx2(s, ft_scale_place_avx2(s, w, b));
}

FT_AVX2_INLINE __m256 ft_block_minimum_avx2(ft_shape s, ft_chunk_avx2 w, size_t b) {
    return w.spread ? _mm256_load_ps(w.spread->m[b]) : ft_scales_avx2(s, ft_scale_place_avx2(s, w, b) + 16);
}

FT_AVX2_INLINE void ft_spread_chunk_avx2(
    ft_shape s, ft_chunk_avx2 w, size_t blocks, ft_spread_avx2 *to) {
    for (size_t b = 0; b < blocks; b++) {
        ft_fetch_block_avx2(s, w, b);
#pragma clang loop unroll(full)
        for (int quad = 0; quad < 8; quad++)
            _mm256_store_si256((__m256i *)(to->codes + (b * 8 + (size_t)quad) * 32), ft_quad_avx2(s, w, b, quad));
    }
    for (size_t b = 0; b < (s.is_super ? 1 : blocks); b++) {
        _mm256_store_ps(to->d[b], ft_block_scale_avx2(s, w, b));
        if (s.has_minimum)
            _mm256_store_ps(to->m[b], ft_block_minimum_avx2(s, w, b));
    }
    if (!s.is_super)
        return;
    for (int pair = 0; pair < FT_CHUNK / s.sub_block / 2; pair++) {
        __m256i pairs[2], minima = ft_sub_scales_avx2(s, w, pair, pairs);
        _mm256_store_si256((__m256i *)to->scales[2 * pair], pairs[0]);
        _mm256_store_si256((__m256i *)to->scales[2 * pair + 1], pairs[1]);
        _mm256_store_si256((__m256i *)to->minima[pair], minima);
    }
}

#endif
#endif
