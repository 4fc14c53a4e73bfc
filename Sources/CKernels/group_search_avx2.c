#pragma STDC FP_CONTRACT OFF
#if defined(__x86_64__)
#include <immintrin.h>

#include "row_codec.h"
#define LANES_AVX2
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#include "group_search.h"

void ft_search_groups_avx2(
    const ft_group_format *f, const float *const *groups, const float *const *weights, float *scratch, float *scales,
    float *offsets) {
    search_groups(f, groups, weights, scratch, scales, offsets);
}
#pragma clang attribute pop
#endif
