#pragma STDC FP_CONTRACT OFF
#include "matmul_kernels.h"

#include <math.h>

// The scale of a block, and in *inverse what values are multiplied with. The largest magnitude is found among the
// bit patterns, whose order is that of magnitudes with infinities and NaN above all.
static float block_scale(const float *values, size_t count, float *inverse) {
    uint32_t largest = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, values + i, 4);
        bits &= 0x7fffffff;
        largest = bits > largest ? bits : largest;
    }
    *inverse = 0;
    if (largest >= 0x7f800000)
        return NAN;
    float magnitude;
    memcpy(&magnitude, &largest, 4);
    if (magnitude < 0x1p-100f) // nothing of it would be left in a product, and 127 / magnitude may overflow
        return 0;
    *inverse = 127.0f / magnitude;
    return magnitude / 127.0f;
}

void ft_quantize32_scalar(const float *values, size_t count, ft_activations32 *to) {
    memset(to, 0, sizeof *to);
    for (size_t b = 0; b * FT_BLOCK < count; b++) {
        float inverse, scale = block_scale(values + b * FT_BLOCK, FT_BLOCK, &inverse);
        int32_t sum = 0;
        if (inverse != 0)
            for (size_t i = b * FT_BLOCK; i < (b + 1) * FT_BLOCK; i++) {
                to->q[i] = (int8_t)lrintf(values[i] * inverse);
                sum += to->q[i];
            }
        to->scale[b] = scale;
        to->sum[b] = sum;
        to->minus_eight_sums[b] = -8 * sum;
        to->scaled_sum[b] = scale * (float)sum;
    }
}

void ft_quantize256_scalar(const float *values, ft_activations256 *to) {
    memset(to, 0, sizeof *to);
    float inverse;
    to->scale = block_scale(values, FT_CHUNK, &inverse);
    if (inverse == 0)
        return;
    for (size_t i = 0; i < FT_CHUNK; i++) {
        to->q[i] = (int8_t)lrintf(values[i] * inverse);
        to->sum16[i / 16] = (int16_t)(to->sum16[i / 16] + to->q[i]);
        to->sum += to->q[i];
    }
    for (int i = 0; i < 8; i++)
        to->sum32[i] = (int16_t)(to->sum16[2 * i] + to->sum16[2 * i + 1]);
}
