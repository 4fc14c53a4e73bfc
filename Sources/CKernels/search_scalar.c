#pragma STDC FP_CONTRACT OFF
#pragma clang diagnostic ignored "-Wpsabi"
#include "search_rows.h"

void ft_search_row_scalar(ft_type type, const float *src, const float *importance, uint8_t *dst, size_t n) {
    search_row(type, src, importance, dst, n);
}
