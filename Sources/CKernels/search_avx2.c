#pragma STDC FP_CONTRACT OFF
#if defined(__x86_64__)
#include <immintrin.h>

#include "row_codec.h"
#define LANES_AVX2
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#include "search_rows.h"

void ft_search_row_avx2(ft_type type, const float *src, const float *importance, uint8_t *dst, size_t n) {
    search_row(type, src, importance, dst, n);
}
#pragma clang attribute pop
#endif
