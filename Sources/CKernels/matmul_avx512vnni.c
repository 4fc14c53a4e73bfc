#pragma STDC FP_CONTRACT OFF
#include "matmul_kernels.h"

#if defined(__x86_64__)

#include <immintrin.h>

// One instruction multiplies four unsigned codes of each of 16 rows with four activations and adds the products in 32
// bits, exactly, whatever the codes' width: signed codes are moved up by 128. So all that differs between types is how
// codes come out of their planes. Up to 9 rows of activations share a pass over the codes, which are unpacked in
// registers; for more rows those that take more than a mask are unpacked once a chunk into the first-level cache.

#define INLINE __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c"), always_inline)) static inline
#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")))

enum { TILE = 9, LANES = 16 };

// What the kernels must know of a type when they are compiled.
typedef struct {
    ft_type type;
    int low, high; // bits of the planes
    int offset;    // of the unsigned codes
    bool is_super, has_minimum;
    int sub_block;
    bool signed_scale, nibble_minimum;
    bool ready; // codes were unpacked: 8 vectors of bytes a block
    bool fetch; // asks for the weights ahead while it goes
} shape;

INLINE __m512i plane_quad(const uint8_t *plane, int bits, int quad) {
    __m512i v = _mm512_loadu_si512(plane + quad % bits * 64);
    if (bits == 8)
        return v;
    return _mm512_and_si512(_mm512_srli_epi16(v, (unsigned)(quad / bits * bits)), _mm512_set1_epi8((char)((1 << bits) - 1)));
}

INLINE __m512i codes_of(shape s, const uint8_t *block, int quad, __m512i table) {
    if (s.ready)
        return _mm512_load_si512(block + quad * 64);
    __m512i v = plane_quad(block, s.low, quad);
    if (s.high)
        v = _mm512_or_si512(
            v, _mm512_slli_epi16(plane_quad(block + 64 * s.low, s.high, quad), (unsigned)s.low));
    if (s.type == FT_IQ4_NL || s.type == FT_IQ4_XS || s.type == FT_MXFP4)
        v = _mm512_shuffle_epi8(table, v);
    return v;
}

INLINE __m512i table_of(shape s) {
    if (s.type != FT_IQ4_NL && s.type != FT_IQ4_XS && s.type != FT_MXFP4)
        return _mm512_setzero_si512();
    __m128i table = _mm_loadu_si128((const __m128i *)ft_traits_of(s.type)->table);
    if (s.offset == 128)
        table = _mm_xor_si128(table, _mm_set1_epi8((char)0x80));
    return _mm512_broadcast_i32x4(table);
}

INLINE size_t block_bytes(shape s) { return s.ready ? 512 : (size_t)(s.low + s.high) * 64; }

INLINE __m512 scales_of(shape s, const uint8_t *source) {
    __m256i halves = _mm256_loadu_si256((const __m256i *)source);
    if (s.type == FT_MXFP4)
        return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
    return _mm512_cvtph_ps(halves);
}

INLINE __m512i broadcast32(const void *p) {
    int32_t value;
    memcpy(&value, p, 4);
    return _mm512_set1_epi32(value);
}

// sums[r] += codes of quads first ..< first + count · activations of row r.
INLINE void add_quads(
    shape s, int tile, int first, int count, const uint8_t *block, __m512i table, const int8_t *const *q, size_t b,
    __m512i *sums) {
#pragma clang loop unroll(full)
    for (int quad = first; quad < first + count; quad++) {
        __m512i v = codes_of(s, block, quad, table);
        for (int r = 0; r < tile; r++)
            sums[r] = _mm512_dpbusd_epi32(sums[r], v, broadcast32(q[r] + b * 32 + (size_t)quad * 4));
    }
}

INLINE __m512i minus_offset_sums(shape s, const ft_activations32 *x, size_t b) {
    switch (s.offset) {
    case 0: return _mm512_setzero_si512();
    case 8: return _mm512_set1_epi32(x->minus_eight_sums[b]);
    case 16: return _mm512_slli_epi32(_mm512_set1_epi32(x->minus_eight_sums[b]), 1);
    case 128: return _mm512_slli_epi32(_mm512_set1_epi32(x->minus_eight_sums[b]), 4);
    default: return _mm512_set1_epi32(-s.offset * x->sum[b]);
    }
}

INLINE void block_tile(
    shape s, int tile, const uint8_t *codes, const uint8_t *scales, size_t blocks, const ft_activations32 *x,
    bool first, float *out) {
    __m512 acc[TILE];
    const int8_t *q[TILE];
    for (int r = 0; r < tile; r++) {
        acc[r] = first ? _mm512_setzero_ps() : _mm512_loadu_ps(out + r * LANES);
        q[r] = x[r].q;
    }
    __m512i table = table_of(s);
    for (size_t b = 0; b < blocks; b++) {
        __m512i sums[TILE];
        if (s.fetch)
            ft_fetch_ahead(codes + b * block_bytes(s), block_bytes(s));
        for (int r = 0; r < tile; r++)
            sums[r] = minus_offset_sums(s, &x[r], b);
        add_quads(s, tile, 0, 8, codes + b * block_bytes(s), table, q, b, sums);
        const uint8_t *at = scales + b * LANES * 2 * (s.has_minimum ? 2 : 1);
        __m512 d = scales_of(s, at);
        for (int r = 0; r < tile; r++)
            acc[r] = _mm512_fmadd_ps(
                _mm512_cvtepi32_ps(sums[r]), _mm512_mul_ps(d, _mm512_set1_ps(x[r].scale[b])), acc[r]);
        if (s.has_minimum) {
            __m512 m = scales_of(s, at + LANES * 2);
            for (int r = 0; r < tile; r++)
                acc[r] = _mm512_fmadd_ps(m, _mm512_set1_ps(x[r].scaled_sum[b]), acc[r]);
        }
    }
    for (int r = 0; r < tile; r++)
        _mm512_storeu_ps(out + r * LANES, acc[r]);
}

// Bytes [lane][2] of a pair of sub-blocks as 16-bit integers.
INLINE __m512i sub_pair(shape s, const uint8_t *source) {
    __m256i bytes = _mm256_loadu_si256((const __m256i *)source);
    return s.signed_scale ? _mm512_cvtepi8_epi16(bytes) : _mm512_cvtepu8_epi16(bytes);
}

INLINE void super_tile(
    shape s, int tile, const uint8_t *codes, const uint8_t *scales, const ft_activations256 *x, bool first,
    float *out) {
    const int8_t *q[TILE];
    __m512i sums[TILE], minima[TILE];
    for (int r = 0; r < tile; r++) {
        q[r] = x[r].q;
        sums[r] = minima[r] = _mm512_setzero_si512();
    }
    __m512i table = table_of(s);
    int pairs = FT_CHUNK / s.sub_block / 2, quads = s.sub_block / 4;
    for (int p = 0; p < pairs; p++) {
        __m512i pair = sub_pair(s, scales + p * LANES * 2), least = pair;
        if (s.nibble_minimum) {
            least = _mm512_srli_epi16(pair, 4);
            pair = _mm512_and_si512(pair, _mm512_set1_epi16(15));
        } else if (s.has_minimum) {
            least = sub_pair(s, scales + (pairs + p) * LANES * 2);
        }
        for (int half = 0; half < 2; half++) {
            int sub = 2 * p + half, quad = sub * quads % 8;
            size_t b = (size_t)(sub * quads / 8);
            if (s.fetch && quad == 0)
                ft_fetch_ahead(codes + b * block_bytes(s), block_bytes(s));
            __m512i scale = _mm512_srai_epi32(half ? pair : _mm512_slli_epi32(pair, 16), 16), inner[TILE];
            for (int r = 0; r < tile; r++)
                inner[r] = _mm512_setzero_si512();
            if (quad == 0)
                add_quads(s, tile, 0, quads, codes + b * block_bytes(s), table, q, b, inner);
            else
                add_quads(s, tile, 4, quads, codes + b * block_bytes(s), table, q, b, inner);
            for (int r = 0; r < tile; r++)
                sums[r] = _mm512_add_epi32(sums[r], _mm512_mullo_epi32(inner[r], scale));
        }
        if (s.has_minimum || s.offset)
            for (int r = 0; r < tile; r++) {
                const int16_t *totals = s.sub_block == 16 ? x[r].sum16 : x[r].sum32;
                minima[r] = _mm512_dpwssd_epi32(minima[r], least, broadcast32(totals + 2 * p));
            }
    }
    const uint8_t *last = scales + pairs * LANES * 2 * (s.has_minimum && !s.nibble_minimum ? 2 : 1);
    __m512 d = scales_of(s, last), m = s.has_minimum ? scales_of(s, last + LANES * 2) : _mm512_setzero_ps();
    for (int r = 0; r < tile; r++) {
        __m512 acc = first ? _mm512_setzero_ps() : _mm512_loadu_ps(out + r * LANES);
        __m512 scale = _mm512_set1_ps(x[r].scale);
        if (s.offset)
            sums[r] = _mm512_sub_epi32(sums[r], _mm512_mullo_epi32(minima[r], _mm512_set1_epi32(s.offset)));
        acc = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums[r]), _mm512_mul_ps(d, scale), acc);
        if (s.has_minimum)
            acc = _mm512_fnmadd_ps(_mm512_cvtepi32_ps(minima[r]), _mm512_mul_ps(m, scale), acc);
        _mm512_storeu_ps(out + r * LANES, acc);
    }
}

INLINE void tile_rows(
    shape s, int tile, const uint8_t *codes, const uint8_t *scales, size_t blocks, const ft_activations *x, size_t at,
    bool first, float *out) {
    if (s.is_super)
        super_tile(s, tile, codes, scales, x->blocks256 + at, first, out);
    else
        block_tile(s, tile, codes, scales, blocks, x->blocks32 + at, first, out);
}

INLINE void panel_product(
    shape s, const ft_weights *weights, const uint8_t *panel, const ft_activations *x, ft_rows rows, float *out) {
    size_t chunk_bytes = ft_chunk_bytes(ft_traits_of(s.type), LANES, 8), count = rows.last - rows.first;
    size_t packed = block_bytes(s), scale_bytes = ft_scale_bytes(ft_traits_of(s.type), LANES, 8);
    bool unpacks = s.high != 0 || s.low == 2 || s.offset == 128;
    shape fetching = s;
    fetching.fetch = true;
    for (size_t c = 0; c * FT_CHUNK < weights->columns; c++, panel += chunk_bytes) {
        size_t blocks = ft_min_size(FT_CHUNK, weights->columns - c * FT_CHUNK) / FT_BLOCK;
        const uint8_t *scales = panel + blocks * packed;
        size_t at = c * x->rows + rows.first;
        bool first = c == 0;
        ft_fetch_ahead(scales, scale_bytes);
        switch (count) {
        case 1: tile_rows(fetching, 1, panel, scales, blocks, x, at, first, out); continue;
        case 2: tile_rows(fetching, 2, panel, scales, blocks, x, at, first, out); continue;
        case 3: tile_rows(fetching, 3, panel, scales, blocks, x, at, first, out); continue;
        case 4: tile_rows(fetching, 4, panel, scales, blocks, x, at, first, out); continue;
        case 5: tile_rows(fetching, 5, panel, scales, blocks, x, at, first, out); continue;
        case 6: tile_rows(fetching, 6, panel, scales, blocks, x, at, first, out); continue;
        case 7: tile_rows(fetching, 7, panel, scales, blocks, x, at, first, out); continue;
        case 8: tile_rows(fetching, 8, panel, scales, blocks, x, at, first, out); continue;
        case 9: tile_rows(fetching, 9, panel, scales, blocks, x, at, first, out); continue;
        default: break;
        }
        _Alignas(64) uint8_t unpacked[8 * 8 * 64];
        const uint8_t *codes = panel;
        if (s.low != 8 && unpacks) {
            __m512i table = table_of(s);
            for (size_t b = 0; b < blocks; b++) {
                ft_fetch_ahead(panel + b * packed, packed);
                for (int quad = 0; quad < 8; quad++)
                    _mm512_store_si512(
                        unpacked + (b * 8 + (size_t)quad) * 64, codes_of(s, panel + b * packed, quad, table));
            }
            codes = unpacked;
        } else {
            ft_fetch_ahead(panel, blocks * packed);
        }
        shape ready = s;
        ready.ready = s.low != 8 && unpacks;
        // Tiles as equal as can be: between 5 and 9 rows.
        size_t tiles = (count + TILE - 1) / TILE;
        for (size_t i = 0; i < tiles; i++) {
            size_t r = count * i / tiles, tile = count * (i + 1) / tiles - r;
            float *to = out + r * LANES;
            switch (tile) {
            case 5: tile_rows(ready, 5, codes, scales, blocks, x, at + r, first, to); break;
            case 6: tile_rows(ready, 6, codes, scales, blocks, x, at + r, first, to); break;
            case 7: tile_rows(ready, 7, codes, scales, blocks, x, at + r, first, to); break;
            case 8: tile_rows(ready, 8, codes, scales, blocks, x, at + r, first, to); break;
            default: tile_rows(ready, 9, codes, scales, blocks, x, at + r, first, to); break;
            }
        }
    }
}

#define PANEL(name, ...)                                                                                             \
    TARGET static void name(                                                                                         \
        const ft_weights *weights, const uint8_t *panel, const ft_activations *x, ft_rows rows, float *out) {        \
        panel_product((shape){__VA_ARGS__}, weights, panel, x, rows, out);                                           \
    }

PANEL(panel_q8_0, .type = FT_Q8_0, .low = 8, .offset = 128)
PANEL(panel_q4_0, .type = FT_Q4_0, .low = 4, .offset = 8)
PANEL(panel_q4_1, .type = FT_Q4_1, .low = 4, .has_minimum = true)
PANEL(panel_q5_0, .type = FT_Q5_0, .low = 4, .high = 1, .offset = 16)
PANEL(panel_q5_1, .type = FT_Q5_1, .low = 4, .high = 1, .has_minimum = true)
PANEL(panel_iq4_nl, .type = FT_IQ4_NL, .low = 4, .offset = 128)
PANEL(panel_mxfp4, .type = FT_MXFP4, .low = 4, .offset = 12)
PANEL(
    panel_q2_k, .type = FT_Q2_K, .low = 2, .is_super = true, .has_minimum = true, .nibble_minimum = true,
    .sub_block = 16)
PANEL(
    panel_q3_k, .type = FT_Q3_K, .low = 2, .high = 1, .offset = 4, .is_super = true, .sub_block = 16,
    .signed_scale = true)
PANEL(panel_q4_k, .type = FT_Q4_K, .low = 4, .is_super = true, .has_minimum = true, .sub_block = 32)
PANEL(panel_q5_k, .type = FT_Q5_K, .low = 4, .high = 1, .is_super = true, .has_minimum = true, .sub_block = 32)
PANEL(
    panel_q6_k, .type = FT_Q6_K, .low = 4, .high = 2, .offset = 32, .is_super = true, .sub_block = 16,
    .signed_scale = true)
PANEL(
    panel_iq4_xs, .type = FT_IQ4_XS, .low = 4, .offset = 128, .is_super = true, .sub_block = 32, .signed_scale = true)

ft_panel_kernel ft_panel_kernel_avx512vnni(ft_type type) {
    switch (type) {
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

ft_panel_kernel ft_panel_kernel_avx512vnni(ft_type type) {
    (void)type;
    return NULL;
}

#endif
