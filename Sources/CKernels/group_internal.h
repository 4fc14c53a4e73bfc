#ifndef FORETOKEN_GROUP_INTERNAL_H
#define FORETOKEN_GROUP_INTERNAL_H

#include <math.h>

#include "encode_internal.h"
#include "group_codec.h"
#include "instruction_set.h"

enum { GROUP_LANES = 8 };

// Scale and offset of eight groups at once, each at its own address; a group without elements has a NULL one. Weights
// likewise, or `weights` NULL. `scratch` is aligned to 32 bytes and has room for 3 × 8 × group floats.
void ft_search_groups_scalar(
    const ft_group_format *f, const float *const *groups, const float *const *weights, float *scratch, float *scales,
    float *offsets);
void ft_search_groups_avx2(
    const ft_group_format *f, const float *const *groups, const float *const *weights, float *scratch, float *scales,
    float *offsets);

// Whether rows of n can be in the format.
bool ft_group_is_sound(const ft_group_format *f, size_t n);

// Codes of a byte each into bytes, the lowest bits first.
void ft_group_pack(int bits, const uint8_t *codes, size_t count, uint8_t *out);

// The value that a stored type holds nearest to v; halves stay finite.
static inline float ft_stored(ft_type type, float v) {
    if (type == FT_F16) {
        const uint16_t h = ft_half_of_float(v);
        return ft_float_of_half((h & 0x7FFF) >= 0x7C00 ? (uint16_t)((h & 0x8000) | 0x7BFF) : h);
    }
    if (type == FT_BF16) return ft_float_of_bits((uint32_t)ft_bf16_of_float(v) << 16);
    return v;
}

// The code that stands for nothing, and what is added to scale · (code − zero).
static inline float ft_group_zero(const ft_group_format *f, float offset) {
    return f->kind == FT_GROUP_AFFINE ? 0 : f->kind == FT_GROUP_ZERO_POINT ? offset : (float)(1 << (f->bits - 1));
}

static inline float ft_group_base(const ft_group_format *f, float offset) {
    return f->kind == FT_GROUP_AFFINE ? offset : 0;
}

// Nearest integer, ties to even, for |v| < 2^22.
static inline float ft_rounded(float v) { return (v + 0x1.8p23f) - 0x1.8p23f; }

static inline float ft_clamped(float v, float low, float high) { return v < low ? low : v > high ? high : v; }

#endif
