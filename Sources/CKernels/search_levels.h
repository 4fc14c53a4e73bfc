#ifndef FORETOKEN_SEARCH_LEVELS_H
#define FORETOKEN_SEARCH_LEVELS_H

#include "search_lanes.h"

#if defined(LANES_AVX2)
#include <immintrin.h>
#endif

// Sixteen increasing levels, laid out for a four-step search with eight-entry tables.
typedef struct {
    float middle, quarter[2];
    lanes eighth, sixteenth; // boundaries between neighbours, by the bits found so far
    lanes even, odd;         // the levels themselves
} level_table;

LANE_FUNCTION lanes lanes_lookup(lanes table, lane_ints index) {
#if defined(LANES_AVX2)
    return (lanes)_mm256_permutevar8x32_ps((__m256)table, (__m256i)index);
#else
    lanes result;
    for (int i = 0; i < LANES; i++) result[i] = table[index[i]];
    return result;
#endif
}

LANE_FUNCTION level_table level_table_of(const float *levels) {
    level_table t;
    float boundary[15];
    for (int i = 0; i < 15; i++) boundary[i] = 0.5f * (levels[i] + levels[i + 1]);
    t.middle = boundary[7];
    t.quarter[0] = boundary[3];
    t.quarter[1] = boundary[11];
    for (int i = 0; i < 8; i++) {
        t.eighth[i] = boundary[i % 4 * 4 + 1];
        t.sixteenth[i] = boundary[2 * i];
        t.even[i] = levels[2 * i];
        t.odd[i] = levels[2 * i + 1];
    }
    return t;
}

// Index of the level nearest to v, and the level.
LANE_FUNCTION lane_ints nearest_level(const level_table *t, lanes v, lanes *level) {
    const lane_ints high = v > t->middle;
    const lane_ints second = v > (high ? (lanes)t->quarter[1] : (lanes)t->quarter[0]);
    const lane_ints pair = -2 * high - second;
    const lane_ints third = v > lanes_lookup(t->eighth, pair);
    const lane_ints triple = 2 * pair - third;
    const lane_ints fourth = v > lanes_lookup(t->sixteenth, triple);
    *level = fourth ? lanes_lookup(t->odd, triple) : lanes_lookup(t->even, triple);
    return 2 * triple - fourth;
}

#endif
