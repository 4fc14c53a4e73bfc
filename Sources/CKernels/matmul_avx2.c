#pragma STDC FP_CONTRACT OFF
#include "matmul_avx2.h"
#include "matmul_kernels.h"

#if defined(__x86_64__)

#include "matmul_unpack_avx2.h"

// Rows of activations that are multiplied with a vector of codes while it is in a register.
enum { MOST_TILE = 6 };

// Products of unsigned codes with signed bytes are added in 16 bits as long as they fit: 15·127·2 eight times over
// for 4-bit codes, 31·127·2 four times, 63·127·2 twice; then multiplied by the sub-block's scale (or by one) while
// neighbours are added into 32 bits. Signed codes are multiplied as magnitudes, their signs moved to the activations;
// 128·127·2 fits once.

// The value is computed where the source says: left alone, the compiler takes a tile row by row and has more codes to
// hold than there are registers.
#define FT_HERE(v) __asm__ volatile("" : "+x"(v))

FT_AVX2_INLINE __m256i broadcast32(const void *p) {
    int32_t value;
    memcpy(&value, p, 4);
    return _mm256_set1_epi32(value);
}

// How many quads may be added in 16 bits.
FT_AVX2_INLINE int quads_in_16_bits(int bits) { return bits <= 4 ? 8 : bits == 5 ? 4 : bits == 6 ? 2 : 1; }

// sums[r] += scale · (codes of `count` quads · activations of row r), all 8 lanes.
FT_AVX2_INLINE void add_quads(
    ft_shape s, ft_chunk_avx2 w, int count, int tile, size_t b, int first, const int8_t *const *q, __m256i scale,
    __m256i *sums) {
    int run = quads_in_16_bits(s.bits) < count ? quads_in_16_bits(s.bits) : count;
#pragma clang loop unroll(full)
    for (int start = first; start < first + count; start += run) {
        __m256i narrow[MOST_TILE];
#pragma clang loop unroll(full)
        for (int quad = start; quad < start + run; quad++) {
            __m256i codes = ft_quad_avx2(s, w, b, quad), magnitudes = s.is_signed ? _mm256_abs_epi8(codes) : codes;
            for (int r = 0; r < tile; r++) {
                __m256i x = broadcast32(q[r] + b * 32 + (size_t)quad * 4);
                if (s.is_signed)
                    x = _mm256_sign_epi8(x, codes);
                __m256i product = _mm256_maddubs_epi16(magnitudes, x);
                narrow[r] = quad == start ? product : _mm256_add_epi16(narrow[r], product);
                FT_HERE(narrow[r]);
            }
        }
        for (int r = 0; r < tile; r++) {
            sums[r] = _mm256_add_epi32(sums[r], _mm256_madd_epi16(narrow[r], scale));
            FT_HERE(sums[r]);
        }
    }
}

// A chunk of block types for `tile` rows of activations, records apart.
FT_AVX2_INLINE void block_tile(
    ft_shape s, int tile, ft_chunk_avx2 w, size_t blocks, const ft_activations32 *x, bool first, float *out) {
    __m256 acc[MOST_TILE];
    const int8_t *q[MOST_TILE];
    for (int r = 0; r < tile; r++) {
        acc[r] = first ? _mm256_setzero_ps() : _mm256_loadu_ps(out + r * 8);
        q[r] = x[r].q;
    }
    __m256i ones = _mm256_set1_epi16(1);
    for (size_t b = 0; b < blocks; b++) {
        ft_fetch_block_avx2(s, w, b);
        __m256i sums[MOST_TILE];
        for (int r = 0; r < tile; r++)
            sums[r] = s.offset == 8 ? _mm256_set1_epi32(x[r].minus_eight_sums[b])
                : s.offset          ? _mm256_set1_epi32(-s.offset * x[r].sum[b])
                                    : _mm256_setzero_si256();
        add_quads(s, w, 8, tile, b, 0, q, ones, sums);
        __m256 d = ft_block_scale_avx2(s, w, b);
        for (int r = 0; r < tile; r++)
            acc[r] = _mm256_fmadd_ps(
                _mm256_cvtepi32_ps(sums[r]), _mm256_mul_ps(d, _mm256_set1_ps(x[r].scale[b])), acc[r]);
        if (s.has_minimum) {
            __m256 m = ft_block_minimum_avx2(s, w, b);
            for (int r = 0; r < tile; r++)
                acc[r] = _mm256_fmadd_ps(m, _mm256_set1_ps(x[r].scaled_sum[b]), acc[r]);
        }
    }
    for (int r = 0; r < tile; r++)
        _mm256_storeu_ps(out + r * 8, acc[r]);
}

FT_AVX2_INLINE void super_tile(
    ft_shape s, int tile, ft_chunk_avx2 w, const ft_activations256 *x, bool first, float *out) {
    const int8_t *q[MOST_TILE];
    __m256i sums[MOST_TILE], minima[MOST_TILE];
    for (int r = 0; r < tile; r++) {
        q[r] = x[r].q;
        sums[r] = minima[r] = _mm256_setzero_si256();
    }
    int quads = s.sub_block / 4;
    for (int pair = 0; pair < FT_CHUNK / s.sub_block / 2; pair++) {
        __m256i scales[2], minimum = ft_sub_scales_avx2(s, w, pair, scales);
#pragma clang loop unroll(full)
        for (int i = 0; i < 2; i++) {
            int quad = (2 * pair + i) * quads;
            if (quad % 8 == 0)
                ft_fetch_block_avx2(s, w, (size_t)quad / 8);
            add_quads(s, w, quads, tile, (size_t)quad / 8, i * quads % 8, q, scales[i], sums);
        }
        if (s.has_minimum || s.offset)
            for (int r = 0; r < tile; r++) {
                const int16_t *totals = s.sub_block == 16 ? x[r].sum16 : x[r].sum32;
                minima[r] = _mm256_add_epi32(minima[r], _mm256_madd_epi16(minimum, broadcast32(totals + 2 * pair)));
            }
    }
    __m256 d = ft_block_scale_avx2(s, w, 0), m = _mm256_setzero_ps();
    if (s.has_minimum)
        m = ft_block_minimum_avx2(s, w, 0);
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
    ft_shape s, int tile, ft_chunk_avx2 w, size_t blocks, const ft_activations *x, size_t at, bool first,
    float *out) {
    if (s.is_super)
        super_tile(s, tile, w, x->blocks256 + at, first, out);
    else
        block_tile(s, tile, w, blocks, x->blocks32 + at, first, out);
}

// Tiles as equal as can be: no row count pays for a tile that is nearly empty.
FT_AVX2_INLINE void all_tiles(
    ft_shape s, ft_chunk_avx2 w, size_t blocks, const ft_activations *x, size_t start, size_t count, bool first,
    float *out) {
    size_t tiles = (count + MOST_TILE - 1) / MOST_TILE;
    for (size_t i = 0; i < tiles; i++) {
        size_t r = count * i / tiles, at = start + r;
        float *to = out + r * 8;
        switch (count * (i + 1) / tiles - r) {
        case 1: tile_rows(s, 1, w, blocks, x, at, first, to); break;
        case 2: tile_rows(s, 2, w, blocks, x, at, first, to); break;
        case 3: tile_rows(s, 3, w, blocks, x, at, first, to); break;
        case 4: tile_rows(s, 4, w, blocks, x, at, first, to); break;
        case 5: tile_rows(s, 5, w, blocks, x, at, first, to); break;
        default: tile_rows(s, MOST_TILE, w, blocks, x, at, first, to); break;
        }
    }
}

FT_AVX2_INLINE void panel_product(
    ft_shape s, const ft_weights *weights, const uint8_t *panel, const ft_activations *x, ft_rows rows, float *out) {
    const ft_traits *t = ft_traits_of(s.type);
    size_t chunk_bytes = ft_chunk_bytes(t, 8, 8), count = rows.last - rows.first, columns = weights->columns;
    __m256i table = _mm256_setzero_si256();
    if (s.table)
        table = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)t->table));
    for (size_t c = 0; c * FT_CHUNK < columns; c++, panel += chunk_bytes) {
        size_t blocks = ft_min_size(FT_CHUNK, columns - c * FT_CHUNK) / FT_BLOCK, at = c * x->rows + rows.first;
        const uint8_t *scales = panel + blocks * 32 * (size_t)(s.low + s.high);
        ft_fetch_ahead(scales, ft_scale_bytes(t, 8, 8));
        ft_chunk_avx2 chunk = {panel, scales, table, NULL};
        // Codes go straight from memory to registers where a single tile reads them, or where they are bytes already.
        if (count <= MOST_TILE || s.low == 8) {
            all_tiles(s, chunk, blocks, x, at, count, c == 0, out);
            continue;
        }
        ft_spread_avx2 spread;
        ft_spread_chunk_avx2(s, chunk, blocks, &spread);
        chunk.spread = &spread;
        all_tiles(s, chunk, blocks, x, at, count, c == 0, out);
    }
}

#define PANEL(name, ...)                                                                                         \
    FT_AVX2 static void name(                                                                                    \
        const ft_weights *weights, const uint8_t *panel, const ft_activations *x, ft_rows rows, float *out) {      \
        panel_product((ft_shape){__VA_ARGS__}, weights, panel, x, rows, out);                            \
    }

PANEL(panel_q8_0, .type = FT_Q8_0, .low = 8, .bits = 8, .is_signed = true)
PANEL(panel_q4_0, .type = FT_Q4_0, .low = 4, .bits = 4, .offset = 8)
PANEL(panel_q4_1, .type = FT_Q4_1, .low = 4, .bits = 4, .has_minimum = true)
PANEL(panel_q5_0, .type = FT_Q5_0, .low = 4, .high = 1, .bits = 5, .offset = 16)
PANEL(panel_q5_1, .type = FT_Q5_1, .low = 4, .high = 1, .bits = 5, .has_minimum = true)
PANEL(panel_iq4_nl, .type = FT_IQ4_NL, .low = 4, .bits = 8, .is_signed = true, .table = true)
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
    panel_iq4_xs, .type = FT_IQ4_XS, .low = 4, .bits = 8, .is_signed = true, .table = true, .is_super = true, .sub_block = 32,
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
