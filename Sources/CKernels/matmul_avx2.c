#pragma STDC FP_CONTRACT OFF
#include "matmul_avx2.h"
#include "matmul_kernels.h"

#if defined(__x86_64__)

#include "matmul_unpack_avx2.h"

// Products of unsigned codes with signed bytes are added in 16 bits as long as they fit: 15·127·2 eight times over
// for 4-bit codes, 31·127·2 four times, 63·127·2 twice; then multiplied by the sub-block's scale (or by one) while
// neighbours are added into 32 bits. Signed 8-bit codes have no such room and are 16 bits wide from the start.

FT_AVX2_INLINE __m256i broadcast32(const void *p) {
    int32_t value;
    memcpy(&value, p, 4);
    return _mm256_set1_epi32(value);
}

// How many quads may be added in 16 bits.
FT_AVX2_INLINE int quads_in_16_bits(int bits) { return bits <= 4 ? 8 : bits == 5 ? 4 : 2; }

// sums[r] += scale · (codes of `count` quads · activations of row r), all 8 lanes.
FT_AVX2_INLINE void add_quads(
    ft_shape s, int count, int tile, const ft_unpacked_avx2 *w, size_t b, int first, const int8_t *const *q,
    const int16_t *const *wide, __m256i scale, __m256i *sums) {
    if (s.bits == 8) {
        for (int quad = first; quad < first + count; quad++)
            for (int half = 0; half < 2; half++) {
                const int16_t *codes = w->wide + ((b * 8 + (size_t)quad) * 2 + (size_t)half) * 16;
                __m256i v = _mm256_load_si256((const __m256i *)codes);
                for (int r = 0; r < tile; r++) {
                    __m256i x = broadcast32(wide[r] + b * 32 + (size_t)quad * 4 + (size_t)half * 2);
                    sums[r] = _mm256_add_epi32(sums[r], _mm256_madd_epi16(v, x));
                }
            }
        return;
    }
    int run = quads_in_16_bits(s.bits) < count ? quads_in_16_bits(s.bits) : count;
    for (int start = first; start < first + count; start += run) {
        __m256i narrow[4];
        for (int quad = start; quad < start + run; quad++) {
            __m256i v = _mm256_load_si256((const __m256i *)(w->codes + (b * 8 + (size_t)quad) * 32));
            for (int r = 0; r < tile; r++) {
                __m256i product = _mm256_maddubs_epi16(v, broadcast32(q[r] + b * 32 + (size_t)quad * 4));
                narrow[r] = quad == start ? product : _mm256_add_epi16(narrow[r], product);
            }
        }
        for (int r = 0; r < tile; r++)
            sums[r] = _mm256_add_epi32(sums[r], _mm256_madd_epi16(narrow[r], scale));
    }
}

// A chunk of block types for `tile` rows of activations, records apart.
FT_AVX2_INLINE void block_tile(
    ft_shape s, int tile, const ft_unpacked_avx2 *w, size_t blocks, const ft_activations32 *x, const int16_t *wide_x,
    bool first, float *out) {
    __m256 acc[4];
    const int8_t *q[4];
    const int16_t *wide[4];
    for (int r = 0; r < tile; r++) {
        acc[r] = first ? _mm256_setzero_ps() : _mm256_loadu_ps(out + r * 8);
        q[r] = x[r].q;
        wide[r] = s.bits == 8 ? wide_x + r * FT_CHUNK : NULL;
    }
    __m256i ones = _mm256_set1_epi16(1);
    for (size_t b = 0; b < blocks; b++) {
        __m256i sums[4];
        for (int r = 0; r < tile; r++)
            sums[r] = s.offset == 8 ? _mm256_set1_epi32(x[r].minus_eight_sums[b])
                : s.offset          ? _mm256_set1_epi32(-s.offset * x[r].sum[b])
                                    : _mm256_setzero_si256();
        add_quads(s, 8, tile, w, b, 0, q, wide, ones, sums);
        __m256 d = _mm256_load_ps(w->d[b]);
        for (int r = 0; r < tile; r++)
            acc[r] = _mm256_fmadd_ps(
                _mm256_cvtepi32_ps(sums[r]), _mm256_mul_ps(d, _mm256_set1_ps(x[r].scale[b])), acc[r]);
        if (s.has_minimum) {
            __m256 m = _mm256_load_ps(w->m[b]);
            for (int r = 0; r < tile; r++)
                acc[r] = _mm256_fmadd_ps(m, _mm256_set1_ps(x[r].scaled_sum[b]), acc[r]);
        }
    }
    for (int r = 0; r < tile; r++)
        _mm256_storeu_ps(out + r * 8, acc[r]);
}

FT_AVX2_INLINE void super_tile(
    ft_shape s, int tile, const ft_unpacked_avx2 *w, const ft_activations256 *x, const int16_t *wide_x, bool first,
    float *out) {
    const int8_t *q[4];
    const int16_t *wide[4];
    __m256i sums[4], minima[4];
    for (int r = 0; r < tile; r++) {
        q[r] = x[r].q;
        wide[r] = s.bits == 8 ? wide_x + r * FT_CHUNK : NULL;
        sums[r] = minima[r] = _mm256_setzero_si256();
    }
    for (size_t b = 0; b < 8; b++) {
        if (s.bits == 8) { // products of 16 bits leave no room for the scale: it follows
            __m256i inner[4];
            for (int r = 0; r < tile; r++)
                inner[r] = _mm256_setzero_si256();
            add_quads(s, 8, tile, w, b, 0, q, wide, inner[0], inner);
            __m256i scale = _mm256_srai_epi32(_mm256_load_si256((const __m256i *)w->scales[b]), 16);
            for (int r = 0; r < tile; r++)
                sums[r] = _mm256_add_epi32(sums[r], _mm256_mullo_epi32(inner[r], scale));
        } else if (s.sub_block == 32) {
            add_quads(s, 8, tile, w, b, 0, q, wide, _mm256_load_si256((const __m256i *)w->scales[b]), sums);
        } else {
            add_quads(s, 4, tile, w, b, 0, q, wide, _mm256_load_si256((const __m256i *)w->scales[2 * b]), sums);
            add_quads(s, 4, tile, w, b, 4, q, wide, _mm256_load_si256((const __m256i *)w->scales[2 * b + 1]), sums);
        }
    }
    if (s.has_minimum || s.offset)
        for (int p = 0; p < FT_CHUNK / s.sub_block / 2; p++) {
            __m256i v = _mm256_load_si256((const __m256i *)w->minima[p]);
            for (int r = 0; r < tile; r++) {
                const int16_t *totals = s.sub_block == 16 ? x[r].sum16 : x[r].sum32;
                minima[r] = _mm256_add_epi32(minima[r], _mm256_madd_epi16(v, broadcast32(totals + 2 * p)));
            }
        }
    __m256 d = _mm256_load_ps(w->d[0]), m = _mm256_setzero_ps();
    if (s.has_minimum)
        m = _mm256_load_ps(w->m[0]);
    for (int r = 0; r < tile; r++) {
        __m256 acc = first ? _mm256_setzero_ps() : _mm256_loadu_ps(out + r * 8);
        __m256 scale = _mm256_set1_ps(x[r].scale);
        if (s.offset)
            sums[r] = _mm256_sub_epi32(sums[r], _mm256_mullo_epi32(minima[r], _mm256_set1_epi32(s.offset)));
        acc = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sums[r]), _mm256_mul_ps(d, scale), acc);
        if (s.has_minimum)
            acc = _mm256_fnmadd_ps(_mm256_cvtepi32_ps(minima[r]), _mm256_mul_ps(m, scale), acc);
        _mm256_storeu_ps(out + r * 8, acc);
    }
}

FT_AVX2_INLINE void tile_rows(
    ft_shape s, int tile, const ft_unpacked_avx2 *w, size_t blocks, const ft_activations *x, size_t at, bool first,
    float *out) {
    if (s.is_super)
        super_tile(
            s, tile, w, x->blocks256 + at, s.bits == 8 ? x->wide256 + at * FT_CHUNK : NULL, first, out);
    else
        block_tile(
            s, tile, w, blocks, x->blocks32 + at, s.bits == 8 ? x->wide32 + at * FT_CHUNK : NULL, first, out);
}

FT_AVX2_INLINE void panel_product(
    ft_shape s, const ft_weights *weights, const uint8_t *panel, const ft_activations *x, ft_rows rows, float *out) {
    ft_unpacked_avx2 w;
    const ft_traits *t = ft_traits_of(s.type);
    size_t chunk_bytes = ft_chunk_bytes(t, 8, 8), count = rows.last - rows.first, columns = weights->columns;
    for (size_t c = 0; c * FT_CHUNK < columns; c++, panel += chunk_bytes) {
        size_t blocks = ft_min_size(FT_CHUNK, columns - c * FT_CHUNK) / FT_BLOCK;
        ft_unpack_codes_avx2(s, panel, blocks, &w);
        const uint8_t *scales = panel + blocks * 32 * (size_t)(s.low + s.high);
        ft_fetch_ahead(scales, ft_scale_bytes(t, 8, 8));
        if (s.is_super)
            ft_unpack_super_scales_avx2(s, scales, &w);
        else
            ft_unpack_block_scales_avx2(s, scales, blocks, &w);
        // Tiles of at most 4 rows, as equal as can be: no row count pays for a tile that is nearly empty.
        size_t tiles = (count + 3) / 4;
        for (size_t i = 0; i < tiles; i++) {
            size_t r = count * i / tiles, tile = count * (i + 1) / tiles - r, at = c * x->rows + rows.first + r;
            float *to = out + r * 8;
            switch (tile) {
            case 1: tile_rows(s, 1, &w, blocks, x, at, c == 0, to); break;
            case 2: tile_rows(s, 2, &w, blocks, x, at, c == 0, to); break;
            case 3: tile_rows(s, 3, &w, blocks, x, at, c == 0, to); break;
            default: tile_rows(s, 4, &w, blocks, x, at, c == 0, to); break;
            }
        }
    }
}

#define PANEL(name, ...)                                                                                         \
    FT_AVX2 static void name(                                                                                    \
        const ft_weights *weights, const uint8_t *panel, const ft_activations *x, ft_rows rows, float *out) {      \
        panel_product((ft_shape){__VA_ARGS__}, weights, panel, x, rows, out);                            \
    }

PANEL(panel_q8_0, .type = FT_Q8_0, .low = 8, .bits = 8)
PANEL(panel_q4_0, .type = FT_Q4_0, .low = 4, .bits = 4, .offset = 8)
PANEL(panel_q4_1, .type = FT_Q4_1, .low = 4, .bits = 4, .has_minimum = true)
PANEL(panel_q5_0, .type = FT_Q5_0, .low = 4, .high = 1, .bits = 5, .offset = 16)
PANEL(panel_q5_1, .type = FT_Q5_1, .low = 4, .high = 1, .bits = 5, .has_minimum = true)
PANEL(panel_iq4_nl, .type = FT_IQ4_NL, .low = 4, .bits = 8, .table = true)
PANEL(panel_mxfp4, .type = FT_MXFP4, .low = 4, .bits = 5, .table = true, .offset = 12)
PANEL(
    panel_q2_k, .type = FT_Q2_K, .low = 2, .bits = 2, .is_super = true, .has_minimum = true, .nibble_minimum = true,
    .sub_block = 16)
PANEL(
    panel_q3_k, .type = FT_Q3_K, .low = 2, .high = 1, .bits = 3, .offset = 4, .is_super = true, .sub_block = 16,
    .signed_scale = true)
PANEL(panel_q4_k, .type = FT_Q4_K, .low = 4, .bits = 4, .is_super = true, .has_minimum = true, .sub_block = 32)
PANEL(
    panel_q5_k, .type = FT_Q5_K, .low = 4, .high = 1, .bits = 5, .is_super = true, .has_minimum = true,
    .sub_block = 32)
PANEL(
    panel_q6_k, .type = FT_Q6_K, .low = 4, .high = 2, .bits = 6, .offset = 32, .is_super = true, .sub_block = 16,
    .signed_scale = true)
PANEL(
    panel_iq4_xs, .type = FT_IQ4_XS, .low = 4, .bits = 8, .table = true, .is_super = true, .sub_block = 32,
    .signed_scale = true)

ft_panel_kernel ft_panel_kernel_avx2(ft_type type) {
    switch (type) {
    case FT_F32:
    case FT_F16:
    case FT_BF16: return ft_panel_floats_avx2;
    case FT_Q8_0: return panel_q8_0;
    case FT_Q4_0: return panel_q4_0;
    case FT_Q4_1: return panel_q4_1;
    case FT_Q5_0: return panel_q5_0;
    case FT_Q5_1: return panel_q5_1;
    case FT_IQ4_NL: return panel_iq4_nl;
    case FT_MXFP4: return panel_mxfp4;
    case FT_Q2_K: return panel_q2_k;
    case FT_Q3_K: return panel_q3_k;
    case FT_Q4_K: return panel_q4_k;
    case FT_Q5_K: return panel_q5_k;
    case FT_Q6_K: return panel_q6_k;
    case FT_IQ4_XS: return panel_iq4_xs;
    default: return NULL;
    }
}

#else

ft_panel_kernel ft_panel_kernel_avx2(ft_type type) {
    (void)type;
    return NULL;
}

#endif
