#pragma STDC FP_CONTRACT OFF
#include "group_internal.h"

#include <stdlib.h>

static bool is_sound(const ft_group_format *f, size_t n) {
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

static void pack(int bits, const uint8_t *codes, size_t count, uint8_t *out) {
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
    if (!is_sound(f, n)) return false;
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
            pack(f->bits, own, f->group, codes + index * bytes);
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

enum { OUTER = 256 };

// Columns of one row within a group: each takes its nearest code, and its error is taken from the columns up to `end`.
static void spread_columns(
    const ft_group_format *f, float scale, float offset, float *w, size_t at, size_t count, size_t end, size_t n,
    const float *u, float *e, uint8_t *codes) {
    const float zero = ft_group_zero(f, offset), base = ft_group_base(f, offset);
    const float low = -zero, high = (float)((1 << f->bits) - 1) - zero;
    for (size_t j = 0; j < count; j++) {
        const size_t column = at + j;
        const float *factors = u + column * n;
        const float q = ft_rounded(ft_clamped(scale != 0 ? (w[column] - base) / scale : 0, low, high));
        codes[j] = (uint8_t)(q + zero);
        const float error = (w[column] - (scale * q + base)) / factors[column];
        e[j] = error;
        for (size_t k = column + 1; k < end; k++) w[k] -= error * factors[k];
    }
}

bool ft_gptq_groups(
    const ft_group_format *f, float *w, size_t rows, size_t n, const float *u, const float *weights, uint8_t *codes,
    float *scales, float *offsets, float *scratch) {
    if (!is_sound(f, n) || (f->group < OUTER && OUTER % f->group != 0)) return false;
    const size_t across = n / f->group, rowBytes = n * (size_t)f->bits / 8;
    float *own = search_scratch(f);
    if (!own) return false;
    const float *columnWeights[GROUP_LANES];
    for (size_t outer = 0; outer < n; outer += OUTER) {
        const size_t end = n - outer < OUTER ? n : outer + OUTER;
        // A group longer than a block of columns is searched at its start and goes on with the scale found there.
        const size_t step = f->group < OUTER ? f->group : end - outer;
        for (size_t at = outer; at < end; at += step) {
            const size_t group = at / f->group;
            for (size_t first = 0; first < rows && at % f->group == 0; first += GROUP_LANES) {
                const size_t count = rows - first < GROUP_LANES ? rows - first : GROUP_LANES;
                const float *groups[GROUP_LANES] = {0};
                float found[2][GROUP_LANES];
                for (size_t i = 0; i < count; i++) groups[i] = w + (first + i) * n + at;
                for (size_t i = 0; i < GROUP_LANES; i++) columnWeights[i] = weights + at;
                search_eight(FT_ISA_AVX2, f, groups, columnWeights, own, found[0], found[1]);
                for (size_t i = 0; i < count; i++) {
                    scales[(first + i) * across + group] = found[0][i];
                    offsets[(first + i) * across + group] = found[1][i];
                }
            }
            for (size_t row = 0; row < rows; row++) {
                uint8_t columns[OUTER];
                spread_columns(
                    f, scales[row * across + group], offsets[row * across + group], w + row * n, at, step, end, n, u,
                    scratch + row * OUTER + (at - outer), columns);
                pack(f->bits, columns, step, codes + row * rowBytes + at * (size_t)f->bits / 8);
            }
        }
        if (end < n) {
            ft_subtract_product(w + end, n, scratch, u + outer * n + end, n, rows, n - end, end - outer);
        }
    }
    free(own);
    return true;
}
