#pragma STDC FP_CONTRACT OFF
#pragma clang diagnostic ignored "-Wpsabi"
#include "group_search.h"

void ft_search_groups_scalar(
    const ft_group_format *f, const float *const *groups, const float *const *weights, float *scratch, float *scales,
    float *offsets) {
    search_groups(f, groups, weights, scratch, scales, offsets);
}
