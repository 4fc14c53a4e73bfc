#pragma STDC FP_CONTRACT OFF
#include "group_internal.h"

#include <stdlib.h>

bool ft_group_is_sound(const ft_group_format *f, size_t n) {
    return (f->bits == 4 || f->bits == 8) && f->group > 0 && f->group <= 1 << 24 && n % f->group == 0
        && n * (size_t)f->bits % 8 == 0 && (f->stored == FT_F32 || f->stored == FT_F16 || f->stored == FT_BF16);
}

// The codes nearest to a group's values.
static void group_codes(const ft_group_format *f, const float *x, float scale, float offset, uint8_t *codes) {
    const float zero = ft_group_zero(f, offset), base = ft_group_base(f, offset);
    const float low = -zero, high = (float)((1 << f->bits) - 1) - zero;
    for (size_t j = 0; j < f->group; j++) {
        const float q = scale != 0 ? (x[j] - base) / scale : 0;
        codes[j] = (uint8_t)(ft_rounded(ft_clamped(q, low, high)) + zero);
    }
}

void ft_group_pack(int bits, const uint8_t *codes, size_t count, uint8_t *out) {
    if (bits == 8) {
        memcpy(out, codes, count);
        return;
    }
    for (size_t j = 0; j < count / 2; j++) out[j] = (uint8_t)(codes[2 * j] | codes[2 * j + 1] << 4);
}

// MLX: codes by the scale before it is rounded.
static void nearest_affine_group(
    const ft_group_format *f, const float *x, uint8_t *codes, float *scale, float *offset) {
    const float most = (float)((1 << f->bits) - 1);
    float least = x[0], largest = x[0];
    for (size_t j = 1; j < f->group; j++) {
        if (x[j] < least) least = x[j];
        if (x[j] > largest) largest = x[j];
    }
    const bool fromLeast = fabsf(least) > fabsf(largest);
    float step = (largest - least) / most;
    if (step < 1e-7f) step = 1e-7f;
    float s = fromLeast ? step : -step, o = 0;
    const float edge = fromLeast ? least : largest, steps = rintf(edge / s);
    if (steps != 0) {
        s = edge / steps;
        o = edge;
    }
    for (size_t j = 0; j < f->group; j++) {
        codes[j] = (uint8_t)ft_clamped(rintf((x[j] - o) / s), 0, most);
    }
    *scale = ft_stored(f->stored, s);
    *offset = ft_stored(f->stored, o);
}

// GPTQ's quantizer without symmetry: zero lies in the range.
static void nearest_zero_point_group(
    const ft_group_format *f, const float *x, uint8_t *codes, float *scale, float *offset) {
    const float most = (float)((1 << f->bits) - 1);
    float least = 0, largest = 0;
    for (size_t j = 0; j < f->group; j++) {
        if (x[j] < least) least = x[j];
        if (x[j] > largest) largest = x[j];
    }
    if (least == 0 && largest == 0) {
        least = -1;
        largest = 1;
    }
    const float s = (largest - least) / most, zero = rintf(-least / s);
    for (size_t j = 0; j < f->group; j++) codes[j] = (uint8_t)ft_clamped(rintf(x[j] / s) + zero, 0, most);
    *scale = ft_stored(f->stored, s);
    *offset = zero;
}

// compressed-tensors computes in the type of the weights, which is the one that scales are stored in.
static void nearest_symmetric_group(
    const ft_group_format *f, const float *x, uint8_t *codes, float *scale, float *offset) {
    const float half = (float)(1 << (f->bits - 1));
    float largest = 0;
    for (size_t j = 0; j < f->group; j++) {
        if (fabsf(x[j]) > largest) largest = fabsf(x[j]);
    }
    float s = ft_stored(f->stored, largest / (half - 0.5f));
    if (s == 0) s = ft_stored(f->stored, f->stored == FT_BF16 ? 0x1p-7f : f->stored == FT_F16 ? 0x1p-10f : 0x1p-23f);
    for (size_t j = 0; j < f->group; j++) {
        const float q = ft_stored(f->stored, x[j] / s);
        codes[j] = (uint8_t)(rintf(ft_clamped(q, -half, half - 1)) + half);
    }
    *scale = s;
    *offset = 0;
}

static void search_eight(
    ft_isa isa, const ft_group_format *f, const float *const *groups, const float *const *weights, float *scratch, float *scales,
    float *offsets) {
#if defined(__x86_64__)
    if (isa == FT_ISA_AVX2 && ft_isa_supported(isa)) {
        ft_search_groups_avx2(f, groups, weights, scratch, scales, offsets);
        return;
    }
#endif
    (void)isa;
    ft_search_groups_scalar(f, groups, weights, scratch, scales, offsets);
}

static float *search_scratch(const ft_group_format *f) {
    return aligned_alloc(32, 3 * GROUP_LANES * sizeof(float) * f->group);
}

bool ft_encode_groups_with(
    ft_isa isa, const ft_group_format *f, ft_method method, const float *src, const float *importance, size_t rows,
    size_t n, uint8_t *codes, float *scales, float *offsets) {
    if (!ft_group_is_sound(f, n)) return false;
    const size_t across = n / f->group, total = rows * across, bytes = f->group * (size_t)f->bits / 8;
    uint8_t *own = malloc(f->group);
    float *scratch = method == FT_SEARCH ? search_scratch(f) : NULL;
    if (!own || (method == FT_SEARCH && !scratch)) {
        free(own);
        free(scratch);
        return false;
    }
    for (size_t first = 0; first < total; first += GROUP_LANES) {
        const size_t count = total - first < GROUP_LANES ? total - first : GROUP_LANES;
        float found[2][GROUP_LANES];
        if (method == FT_SEARCH) {
            const float *groups[GROUP_LANES] = {0}, *weights[GROUP_LANES] = {0};
            for (size_t i = 0; i < count; i++) {
                groups[i] = src + (first + i) * f->group;
                if (importance) weights[i] = importance + (first + i) % across * f->group;
            }
            search_eight(isa, f, groups, importance ? weights : NULL, scratch, found[0], found[1]);
        }
        for (size_t i = 0; i < count; i++) {
            const size_t index = first + i;
            const float *x = src + index * f->group;
            if (method == FT_SEARCH) group_codes(f, x, found[0][i], found[1][i], own);
            else if (f->kind == FT_GROUP_AFFINE) nearest_affine_group(f, x, own, &found[0][i], &found[1][i]);
            else if (f->kind == FT_GROUP_ZERO_POINT) nearest_zero_point_group(f, x, own, &found[0][i], &found[1][i]);
            else nearest_symmetric_group(f, x, own, &found[0][i], &found[1][i]);
            ft_group_pack(f->bits, own, f->group, codes + index * bytes);
            scales[index] = found[0][i];
            offsets[index] = found[1][i];
        }
    }
    free(own);
    free(scratch);
    return true;
}

bool ft_encode_groups(
    const ft_group_format *f, ft_method method, const float *src, const float *importance, size_t rows, size_t n,
    uint8_t *codes, float *scales, float *offsets) {
    return ft_encode_groups_with(FT_ISA_AVX2, f, method, src, importance, rows, n, codes, scales, offsets);
}

void ft_decode_groups(
    const ft_group_format *f, const uint8_t *codes, const float *scales, const float *offsets, size_t rows, size_t n,
    float *values) {
    for (size_t at = 0, group = 0; at < rows * n; at += f->group, group++) {
        const float zero = ft_group_zero(f, offsets[group]), base = ft_group_base(f, offsets[group]);
        for (size_t j = at; j < at + f->group; j++) {
            const int code = f->bits == 8 ? codes[j] : codes[j / 2] >> (j % 2 * 4) & 15;
            values[j] = scales[group] * ((float)code - zero) + base;
        }
    }
}
