#pragma STDC FP_CONTRACT OFF
#include "blocks_internal.h"
#include "encode_internal.h"

#include <float.h>
#include <math.h>

// The reference rules, byte for byte what ggml writes: scale from the largest element (or the range), then each element
// to the nearest code.

// Truncation as the reference's processor does it: what does not fit 32 bits becomes their minimum.
static inline int32_t truncated(float v) { return fabsf(v) < 0x1p31f ? (int32_t)v : INT32_MIN; }

static inline float inverse(float d) { return d != 0 ? 1.0f / d : 0.0f; }

static uint8_t code_below(float v, int most) {
    const int8_t code = (int8_t)truncated(v);
    return (uint8_t)(code < most ? code : most);
}

// d is the largest element, with its sign, over -levels/2; codes count from there.
static void nearest_symmetric(const float *x, int bits, ft_block_fields *f) {
    const float half = (float)(1 << (bits - 1));
    float largest = 0, peak = 0;
    for (int j = 0; j < 32; j++) {
        if (largest < fabsf(x[j])) {
            largest = fabsf(x[j]);
            peak = x[j];
        }
    }
    const float d = peak / -half, id = inverse(d);
    f->d = ft_half_of_float(d);
    for (int j = 0; j < 32; j++) f->codes[j] = code_below(x[j] * id + (half + 0.5f), (1 << bits) - 1);
}

static void nearest_affine(const float *x, int bits, ft_block_fields *f) {
    float least = FLT_MAX, most = -FLT_MAX;
    for (int j = 0; j < 32; j++) {
        if (x[j] < least) least = x[j];
        if (x[j] > most) most = x[j];
    }
    const float d = (most - least) / (float)((1 << bits) - 1), id = inverse(d);
    f->d = ft_half_of_float(d);
    f->dmin = ft_half_of_float(least);
    for (int j = 0; j < 32; j++) {
        const float v = (x[j] - least) * id + 0.5f;
        f->codes[j] = bits == 4 ? code_below(v, 15) : (uint8_t)((uint8_t)truncated(v) & 31);
    }
}

static void nearest_q8_0(const float *x, ft_block_fields *f) {
    float largest = 0;
    for (int j = 0; j < 32; j++) largest = largest > fabsf(x[j]) ? largest : fabsf(x[j]);
    const float d = largest / 127, id = inverse(d);
    f->d = ft_half_of_float(d);
    for (int j = 0; j < 32; j++) f->codes[j] = (uint8_t)(truncated(roundf(x[j] * id)) + 128);
}

static void nearest_mxfp4(const float *x, ft_block_fields *f) {
    float largest = 0;
    for (int j = 0; j < 32; j++) largest = largest < fabsf(x[j]) ? fabsf(x[j]) : largest;
    f->d = largest > 0 ? (uint8_t)(int)(floorf(log2f(largest)) - 2 + 127) : 0;
    const float d = ft_half_of_e8m0((uint8_t)f->d);
    for (int j = 0; j < 32; j++) {
        uint8_t best = 0;
        float least = fabsf(x[j]);
        for (uint8_t c = 1; c < 16; c++) {
            const float error = fabsf((float)ft_e2m1_doubled[c] * d - x[j]);
            if (error < least) {
                least = error;
                best = c;
            }
        }
        f->codes[j] = best;
    }
}

bool ft_nearest_row_scalar(ft_type type, const float *src, uint8_t *dst, size_t n) {
    switch ((int)type) {
    case FT_F32: memcpy(dst, src, n * sizeof(float)); return true;
    case FT_F16:
        for (size_t i = 0; i < n; i++) ft_store_half(dst + 2 * i, ft_half_of_float(src[i]));
        return true;
    case FT_BF16:
        for (size_t i = 0; i < n; i++) ft_store_half(dst + 2 * i, ft_bf16_of_float(src[i]));
        return true;
    }
    const size_t bytes = ft_block_bytes(type);
    for (size_t i = 0; i < n; i += 32, dst += bytes) {
        ft_block_fields f;
        f.d = f.dmin = 0;
        switch ((int)type) {
        case FT_Q4_0: nearest_symmetric(src + i, 4, &f); break;
        case FT_Q5_0: nearest_symmetric(src + i, 5, &f); break;
        case FT_Q4_1: nearest_affine(src + i, 4, &f); break;
        case FT_Q5_1: nearest_affine(src + i, 5, &f); break;
        case FT_Q8_0: nearest_q8_0(src + i, &f); break;
        case FT_MXFP4: nearest_mxfp4(src + i, &f); break;
        default: return false;
        }
        ft_pack_block(type, &f, dst);
    }
    return true;
}
