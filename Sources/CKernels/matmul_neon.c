#pragma STDC FP_CONTRACT OFF
#include "matmul_kernels.h"

#if defined(__aarch64__)

#include <arm_neon.h>

// One instruction multiplies four signed codes of each of 4 rows with four activations and adds the products in 32
// bits; codes of up to 7 bits and signed bytes need nothing more. A panel of 8 rows is two vectors side by side.

#if defined(__clang__)
#define TARGET __attribute__((target("dotprod")))
#else
#define TARGET __attribute__((target("arch=armv8.2-a+dotprod")))
#endif
#define INLINE TARGET __attribute__((always_inline)) static inline

enum { TILE = 4, LANES = 8 };

// What the kernels must know of a type when they are compiled.
typedef struct {
    ft_type type;
    int low, high; // bits of the planes
    int offset;
    bool table;
    bool is_super, has_minimum;
    int sub_block;
    bool signed_scale, nibble_minimum;
} shape;

// The 8 quads of a block, each as rows 0 to 3 and 4 to 7.
typedef struct {
    int8x16_t quad[8][2];
} codes;

typedef struct {
    int32x4_t half[2];
} integers;

typedef struct {
    float32x4_t half[2];
} floats;

INLINE uint8x16_t plane_quad(const uint8_t *plane, int bits, int quad, int half) {
    uint8x16_t v = vld1q_u8(plane + quad % bits * 32 + half * 16);
    if (bits == 8)
        return v;
    int8x16_t down = vdupq_n_s8((int8_t)(-(quad / bits * bits)));
    return vandq_u8(vshlq_u8(v, down), vdupq_n_u8((uint8_t)((1 << bits) - 1)));
}

INLINE void unpack(shape s, const uint8_t *block, codes *to) {
    for (int quad = 0; quad < 8; quad++)
        for (int half = 0; half < 2; half++) {
            uint8x16_t v = plane_quad(block, s.low, quad, half);
            if (s.high)
                v = vorrq_u8(
                    v, vshlq_u8(plane_quad(block + 32 * s.low, s.high, quad, half), vdupq_n_s8((int8_t)s.low)));
            if (s.table)
                v = vqtbl1q_u8(vreinterpretq_u8_s8(vld1q_s8(ft_traits_of(s.type)->table)), v);
            to->quad[quad][half] = vreinterpretq_s8_u8(v);
        }
}

INLINE floats scales_of(shape s, const uint8_t *source) {
    floats result;
    for (int half = 0; half < 2; half++) {
        uint16x4_t v = vreinterpret_u16_u8(vld1_u8(source + 8 * half));
        result.half[half] = s.type == FT_MXFP4 ? vreinterpretq_f32_u32(vshll_n_u16(v, 16))
                                               : vcvt_f32_f16(vreinterpret_f16_u16(v));
    }
    return result;
}

// sums += codes of quads first ..< first + count · the activations at q.
INLINE void add_quads(const codes *w, int first, int count, const int8_t *q, integers *sums) {
    for (int four = first; four < first + count; four += 4) {
        int8x16_t x = vld1q_s8(q + four * 4);
        for (int half = 0; half < 2; half++) {
            int32x4_t sum = sums->half[half];
            sum = vdotq_laneq_s32(sum, w->quad[four][half], x, 0);
            sum = vdotq_laneq_s32(sum, w->quad[four + 1][half], x, 1);
            sum = vdotq_laneq_s32(sum, w->quad[four + 2][half], x, 2);
            sum = vdotq_laneq_s32(sum, w->quad[four + 3][half], x, 3);
            sums->half[half] = sum;
        }
    }
}

INLINE void block_tile(
    shape s, int tile, const uint8_t *chunk, const uint8_t *scales, size_t blocks, const ft_activations32 *x,
    bool first, float *out) {
    floats acc[TILE];
    for (int r = 0; r < tile; r++)
        for (int half = 0; half < 2; half++)
            acc[r].half[half] = first ? vdupq_n_f32(0) : vld1q_f32(out + r * LANES + 4 * half);
    for (size_t b = 0; b < blocks; b++) {
        codes w;
        unpack(s, chunk + b * 32 * (size_t)(s.low + s.high), &w);
        const uint8_t *at = scales + b * LANES * 2 * (s.has_minimum ? 2 : 1);
        floats d = scales_of(s, at), m = d;
        if (s.has_minimum)
            m = scales_of(s, at + LANES * 2);
        for (int r = 0; r < tile; r++) {
            integers sums;
            sums.half[0] = sums.half[1] = vdupq_n_s32(-s.offset * x[r].sum[b]);
            add_quads(&w, 0, 8, x[r].q + b * 32, &sums);
            for (int half = 0; half < 2; half++) {
                float32x4_t scale = vmulq_n_f32(d.half[half], x[r].scale[b]);
                acc[r].half[half] = vfmaq_f32(acc[r].half[half], vcvtq_f32_s32(sums.half[half]), scale);
                if (s.has_minimum)
                    acc[r].half[half] =
                        vfmaq_f32(acc[r].half[half], m.half[half], vdupq_n_f32(x[r].scaled_sum[b]));
            }
        }
    }
    for (int r = 0; r < tile; r++)
        for (int half = 0; half < 2; half++)
            vst1q_f32(out + r * LANES + 4 * half, acc[r].half[half]);
}

// Bytes [lane][2] of a pair of sub-blocks: those of one of the two, 32 bits wide.
INLINE integers sub_bytes(bool is_signed, int8x16_t pair, int which) {
    int16x8_t bytes = vreinterpretq_s16_s8(pair), low = which ? bytes : vshlq_n_s16(bytes, 8);
    int16x8_t wide = is_signed ? vshrq_n_s16(low, 8)
                               : vreinterpretq_s16_u16(vshrq_n_u16(vreinterpretq_u16_s16(low), 8));
    return (integers){{vmovl_s16(vget_low_s16(wide)), vmovl_s16(vget_high_s16(wide))}};
}

INLINE void super_tile(
    shape s, int tile, const uint8_t *chunk, const uint8_t *scales, const ft_activations256 *x, bool first,
    float *out) {
    integers sums[TILE], minima[TILE];
    for (int r = 0; r < tile; r++)
        for (int half = 0; half < 2; half++)
            sums[r].half[half] = minima[r].half[half] = vdupq_n_s32(0);
    int subs = FT_CHUNK / s.sub_block, quads = s.sub_block / 4;
    codes w;
    for (int sub = 0; sub < subs; sub++) {
        int b = sub * quads / 8, quad = sub * quads % 8;
        if (quad == 0)
            unpack(s, chunk + b * 32 * (s.low + s.high), &w);
        int8x16_t pair = vld1q_s8((const int8_t *)scales + sub / 2 * 16), least = pair;
        if (s.nibble_minimum) {
            least = vreinterpretq_s8_u8(vshrq_n_u8(vreinterpretq_u8_s8(pair), 4));
            pair = vandq_s8(pair, vdupq_n_s8(15));
        } else if (s.has_minimum) {
            least = vld1q_s8((const int8_t *)scales + (subs / 2 + sub / 2) * 16);
        }
        integers scale = sub_bytes(s.signed_scale, pair, sub % 2), minimum = sub_bytes(s.signed_scale, least, sub % 2);
        for (int r = 0; r < tile; r++) {
            integers inner;
            inner.half[0] = inner.half[1] = vdupq_n_s32(0);
            add_quads(&w, quad, quads, x[r].q + b * 32, &inner);
            int32_t total = s.sub_block == 16 ? x[r].sum16[sub] : x[r].sum32[sub];
            for (int half = 0; half < 2; half++) {
                sums[r].half[half] = vmlaq_s32(sums[r].half[half], inner.half[half], scale.half[half]);
                if (s.has_minimum || s.offset)
                    minima[r].half[half] = vmlaq_n_s32(minima[r].half[half], minimum.half[half], total);
            }
        }
    }
    const uint8_t *last = scales + (size_t)subs * LANES * (s.has_minimum && !s.nibble_minimum ? 2 : 1);
    floats d = scales_of(s, last), m = d;
    if (s.has_minimum)
        m = scales_of(s, last + LANES * 2);
    for (int r = 0; r < tile; r++)
        for (int half = 0; half < 2; half++) {
            float32x4_t acc = first ? vdupq_n_f32(0) : vld1q_f32(out + r * LANES + 4 * half);
            int32x4_t sum = sums[r].half[half];
            if (s.offset)
                sum = vmlsq_n_s32(sum, minima[r].half[half], s.offset);
            acc = vfmaq_f32(acc, vcvtq_f32_s32(sum), vmulq_n_f32(d.half[half], x[r].scale));
            if (s.has_minimum)
                acc = vfmsq_f32(acc, vcvtq_f32_s32(minima[r].half[half]), vmulq_n_f32(m.half[half], x[r].scale));
            vst1q_f32(out + r * LANES + 4 * half, acc);
        }
}

INLINE void tile_rows(
    shape s, int tile, const uint8_t *chunk, const uint8_t *scales, size_t blocks, const ft_activations *x, size_t at,
    bool first, float *out) {
    if (s.is_super)
        super_tile(s, tile, chunk, scales, x->blocks256 + at, first, out);
    else
        block_tile(s, tile, chunk, scales, blocks, x->blocks32 + at, first, out);
}

INLINE void panel_product(
    shape s, const ft_weights *weights, const uint8_t *panel, const ft_activations *x, ft_rows rows, float *out) {
    size_t chunk_bytes = ft_chunk_bytes(ft_traits_of(s.type), LANES, 8), count = rows.last - rows.first;
    for (size_t c = 0; c * FT_CHUNK < weights->columns; c++, panel += chunk_bytes) {
        size_t blocks = ft_min_size(FT_CHUNK, weights->columns - c * FT_CHUNK) / FT_BLOCK;
        const uint8_t *scales = panel + blocks * 32 * (size_t)(s.low + s.high);
        size_t tiles = (count + TILE - 1) / TILE;
        for (size_t i = 0; i < tiles; i++) {
            size_t r = count * i / tiles, tile = count * (i + 1) / tiles - r, at = c * x->rows + rows.first + r;
            float *to = out + r * LANES;
            switch (tile) {
            case 1: tile_rows(s, 1, panel, scales, blocks, x, at, c == 0, to); break;
            case 2: tile_rows(s, 2, panel, scales, blocks, x, at, c == 0, to); break;
            case 3: tile_rows(s, 3, panel, scales, blocks, x, at, c == 0, to); break;
            default: tile_rows(s, 4, panel, scales, blocks, x, at, c == 0, to); break;
            }
        }
    }
}

#define PANEL(name, ...)                                                                                             \
    TARGET static void name(                                                                                         \
        const ft_weights *weights, const uint8_t *panel, const ft_activations *x, ft_rows rows, float *out) {        \
        panel_product((shape){__VA_ARGS__}, weights, panel, x, rows, out);                                           \
    }

PANEL(panel_q8_0, .type = FT_Q8_0, .low = 8)
PANEL(panel_q4_0, .type = FT_Q4_0, .low = 4, .offset = 8)
PANEL(panel_q4_1, .type = FT_Q4_1, .low = 4, .has_minimum = true)
PANEL(panel_q5_0, .type = FT_Q5_0, .low = 4, .high = 1, .offset = 16)
PANEL(panel_q5_1, .type = FT_Q5_1, .low = 4, .high = 1, .has_minimum = true)
PANEL(panel_iq4_nl, .type = FT_IQ4_NL, .low = 4, .table = true)
PANEL(panel_mxfp4, .type = FT_MXFP4, .low = 4, .table = true, .offset = 12)
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
PANEL(panel_iq4_xs, .type = FT_IQ4_XS, .low = 4, .table = true, .is_super = true, .sub_block = 32, .signed_scale = true)

ft_panel_kernel ft_panel_kernel_neon(ft_type type) {
    switch (type) {
    case FT_F32:
    case FT_F16:
    case FT_BF16: return ft_panel_floats_neon;
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

ft_panel_kernel ft_panel_kernel_neon(ft_type type) {
    (void)type;
    return NULL;
}

#endif
