#ifndef FORETOKEN_ENCODE_INTERNAL_H
#define FORETOKEN_ENCODE_INTERNAL_H

#include "blocks_internal.h"
#include "row_encode.h"

bool ft_nearest_row_scalar(ft_type type, const float *src, uint8_t *dst, size_t n);
bool ft_nearest_row_avx2(ft_type type, const float *src, uint8_t *dst, size_t n);
void ft_search_row_scalar(ft_type type, const float *src, const float *importance, uint8_t *dst, size_t n);
void ft_search_row_avx2(ft_type type, const float *src, const float *importance, uint8_t *dst, size_t n);

// Nearest even; NaN stays NaN.
static inline uint16_t ft_bf16_of_float(float v) {
    const uint32_t bits = ft_bits_of_float(v);
    if ((bits & 0x7FFFFFFF) > 0x7F800000) return (uint16_t)(bits >> 16 | 64);
    return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

#endif
