#pragma STDC FP_CONTRACT OFF
#pragma clang diagnostic ignored "-Wpsabi"
#include "search_feedback.h"
#include "search_rows.h"

void ft_search_row_scalar(ft_type type, const float *src, const float *importance, uint8_t *dst, size_t n) {
    search_row(type, src, importance, dst, n);
}

void ft_feedback_choose_scalar(const ft_feedback_sets *s, const ft_feedback_levels *l, const ft_feedback *f) {
    feedback_choose(s, l, f);
}
