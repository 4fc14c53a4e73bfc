#ifndef FORETOKEN_SEARCH_LANES_H
#define FORETOKEN_SEARCH_LANES_H

#include "blocks_internal.h"

// Eight sub-blocks are searched at once, one in each lane of a vector. Every operation is an IEEE one and none is
// fused, so each instruction set gives the same bits; the including file chooses the set by a target attribute.

typedef float lanes __attribute__((ext_vector_type(8)));
typedef int32_t lane_ints __attribute__((ext_vector_type(8)));

#define LANES 8
#define LANE_FUNCTION static inline __attribute__((always_inline, unused))

LANE_FUNCTION lanes lanes_min(lanes a, lanes b) { return a < b ? a : b; }
LANE_FUNCTION lanes lanes_max(lanes a, lanes b) { return a > b ? a : b; }
LANE_FUNCTION lanes lanes_abs(lanes a) { return (lanes)((lane_ints)a & 0x7FFFFFFF); }
LANE_FUNCTION lanes lanes_clamp(lanes a, lanes low, lanes high) { return lanes_min(lanes_max(a, low), high); }

// Nearest integer, ties to even, for |a| < 2^22.
LANE_FUNCTION lanes lanes_round(lanes a) { return (a + 0x1.8p23f) - 0x1.8p23f; }

// 1/a, and 0 for 0.
LANE_FUNCTION lanes lanes_inverse(lanes a) { return a != 0 ? 1 / a : (lanes)0; }

// num/den where den is positive, 0 elsewhere.
LANE_FUNCTION lanes lanes_ratio(lanes num, lanes den) { return den > 0 ? num / den : (lanes)0; }

LANE_FUNCTION lanes lanes_root(lanes a) { return __builtin_elementwise_sqrt(a); }

LANE_FUNCTION float lanes_sum(lanes a) {
    const float s0 = a[0] + a[4], s1 = a[1] + a[5], s2 = a[2] + a[6], s3 = a[3] + a[7];
    return (s0 + s2) + (s1 + s3);
}

// Nearest finite half of each lane, as a float.
LANE_FUNCTION float half_rounded(float v) {
    const uint16_t h = ft_half_of_float(v);
    return ft_float_of_half((h & 0x7FFF) >= 0x7C00 ? (uint16_t)((h & 0x8000) | 0x7BFF) : h);
}

LANE_FUNCTION lanes lanes_half(lanes a) {
    const lanes magnitude = lanes_abs(a);
    const lane_ints bits = (lane_ints)magnitude, sign = (lane_ints)a & (int32_t)0x80000000;
    const lanes normal = (lanes)((bits + 0xFFF + (bits >> 13 & 1)) & ~0x1FFF);
    const lanes subnormal = (magnitude + 0.75f) - 0.75f; // sums of that size are multiples of 2^-24
    const lanes nearest = lanes_min(magnitude < 0x1p-14f ? subnormal : normal, 65504.0f);
    return (lanes)((lane_ints)nearest | sign);
}

// Eight vectors as the rows of a square, turned into its columns.
LANE_FUNCTION void lanes_turn(const lanes *r, lanes *out) {
    lanes t[8], u[8];
    for (int i = 0; i < 4; i++) {
        t[2 * i] = __builtin_shufflevector(r[2 * i], r[2 * i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
        t[2 * i + 1] = __builtin_shufflevector(r[2 * i], r[2 * i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
    }
    for (int h = 0; h < 2; h++) {
        for (int k = 0; k < 2; k++) {
            u[4 * h + 2 * k] = __builtin_shufflevector(t[4 * h + k], t[4 * h + 2 + k], 0, 1, 8, 9, 4, 5, 12, 13);
            u[4 * h + 2 * k + 1] = __builtin_shufflevector(t[4 * h + k], t[4 * h + 2 + k], 2, 3, 10, 11, 6, 7, 14, 15);
        }
    }
    for (int k = 0; k < 4; k++) {
        out[k] = __builtin_shufflevector(u[k], u[4 + k], 0, 1, 2, 3, 8, 9, 10, 11);
        out[4 + k] = __builtin_shufflevector(u[k], u[4 + k], 4, 5, 6, 7, 12, 13, 14, 15);
    }
}

// Eight runs of `count` floats, `stride` apart, so that element j of run i becomes lane i of out[j]. count is a
// multiple of eight.
LANE_FUNCTION void lanes_transpose(const float *src, size_t stride, int count, lanes *out) {
    for (int j = 0; j < count; j += 8) {
        lanes r[8];
        for (int i = 0; i < 8; i++) memcpy(&r[i], src + (size_t)i * stride + j, sizeof(lanes));
        lanes_turn(r, out + j);
    }
}

// The way back for 32 codes of a byte each: those of lane i become the 32 bytes of out[i].
LANE_FUNCTION void lanes_bytes(const lane_ints *codes, lanes *out) {
    lanes words[8];
    for (int j = 0; j < 8; j++) {
        const lane_ints *c = codes + 4 * j;
        words[j] = (lanes)(c[0] | c[1] << 8 | c[2] << 16 | c[3] << 24);
    }
    lanes_turn(words, out);
}

#endif
