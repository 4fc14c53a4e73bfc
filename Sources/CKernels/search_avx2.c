#pragma STDC FP_CONTRACT OFF
#if defined(__x86_64__)
#include <immintrin.h>

#include "feedback_internal.h"
#define LANES_AVX2
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#include "search_feedback.h"
#include "search_rows.h"

void ft_search_row_avx2(ft_type type, const float *src, const float *importance, uint8_t *dst, size_t n) {
    search_row(type, src, importance, dst, n);
}

void ft_feedback_choose_avx2(const ft_feedback_sets *s, const ft_feedback_levels *l, const ft_feedback *f) {
    feedback_choose(s, l, f);
}
#pragma clang attribute pop
#endif
