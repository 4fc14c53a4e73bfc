#ifndef FORETOKEN_SEARCH_PAIRS_H
#define FORETOKEN_SEARCH_PAIRS_H

#include "row_encode.h"
#include "search_scales.h"

#if defined(LANES_AVX2)
#include <immintrin.h>
#endif

// One scale for each block of 32 where all elements count alike, in integers: a trial then costs a third of what it
// costs in floats. Elements are held to 1/32767 of the block's largest, far finer than codes tell apart.

// Two neighbouring elements of each lane's block.
typedef int16_t lane_pairs __attribute__((ext_vector_type(2 * LANES)));
typedef int32_t pair_products __attribute__((ext_vector_type(2 * LANES)));

// a b / 2^15, rounded.
LANE_FUNCTION lane_pairs pairs_scaled(lane_pairs a, lane_pairs b) {
#if defined(LANES_AVX2)
    return (lane_pairs)_mm256_mulhrs_epi16((__m256i)a, (__m256i)b);
#else
    const pair_products product = __builtin_convertvector(a, pair_products) * __builtin_convertvector(b, pair_products);
    return __builtin_convertvector((product + 0x4000) >> 15, lane_pairs);
#endif
}

// The sum of the two products in each lane.
LANE_FUNCTION lane_ints pairs_dot(lane_pairs a, lane_pairs b) {
#if defined(LANES_AVX2)
    return (lane_ints)_mm256_madd_epi16((__m256i)a, (__m256i)b);
#else
    const pair_products product = __builtin_convertvector(a, pair_products) * __builtin_convertvector(b, pair_products);
    return __builtin_shufflevector(product, product, 0, 2, 4, 6, 8, 10, 12, 14)
           + __builtin_shufflevector(product, product, 1, 3, 5, 7, 9, 11, 13, 15);
#endif
}

LANE_FUNCTION lane_ints lanes_to_ints(lanes a) { return __builtin_convertvector(lanes_round(a), lane_ints); }

typedef struct {
    lane_pairs x[16]; // the block's largest element is 32767
    lanes peak;       // that element, with its sign
} pair_blocks;

LANE_FUNCTION void load_pairs(pair_blocks *p, const float *src) {
    lanes x[32];
    lanes_transpose(src, 32, 32, x);
    lanes most = x[0], least = x[0];
    for (int j = 1; j < 32; j++) {
        most = lanes_max(most, x[j]);
        least = lanes_min(least, x[j]);
    }
    p->peak = most < -least ? least : most;
    // No half is small enough to be the scale of what is set to zero here.
    const lanes inverse = lanes_abs(p->peak) < 0x1p-40f ? (lanes)0 : 32767 / p->peak;
    for (int j = 0; j < 16; j++) {
        const lane_ints even = lanes_to_ints(x[2 * j] * inverse), odd = lanes_to_ints(x[2 * j + 1] * inverse);
        p->x[j] = (lane_pairs)((even & 0xFFFF) | odd << 16);
    }
}

// The codes that a step gives, where a step is how many codes the largest element is from zero. A step is held with
// as many bits below one as 16 bits have room for.
typedef struct {
    lane_pairs low, high, half;
    int fraction;
} pair_codes;

LANE_FUNCTION pair_codes pair_codes_of(const symmetric_codes *c) {
    const int fraction = 14 - __builtin_ctz((unsigned)-(int)c->low);
    return (pair_codes){(int16_t)c->low, (int16_t)c->high, (int16_t)(1 << (fraction - 1)), fraction};
}

LANE_FUNCTION lane_pairs pairs_of_step(const pair_codes *c, lanes step) {
    const lane_ints held = lanes_to_ints(lanes_clamp(step * (float)(1 << c->fraction), -32767, 32767));
    return (lane_pairs)((held & 0xFFFF) | held << 16);
}

LANE_FUNCTION lane_pairs codes_of_pairs(const pair_codes *c, lane_pairs x, lane_pairs step) {
    const lane_pairs rounded = (pairs_scaled(x, step) + c->half) >> c->fraction;
    return __builtin_elementwise_min(__builtin_elementwise_max(rounded, c->low), c->high);
}

// Sums over a block: of elements times codes, and of codes squared.
typedef struct {
    lane_ints xq, qq;
} pair_sums;

LANE_FUNCTION void add_pairs(pair_sums *sums, lane_pairs x, lane_pairs codes) {
    sums->xq += pairs_dot(x, codes);
    sums->qq += pairs_dot(codes, codes);
}

// The step whose least-squares scale leaves the least error so far; that scale is xq / qq and its gain xq² / qq.
typedef struct {
    lanes step, xq, qq, square;
} best_step;

LANE_FUNCTION void keep_better_step(best_step *best, lanes step, const pair_sums *sums) {
    const lanes xq = __builtin_convertvector(sums->xq, lanes), qq = __builtin_convertvector(sums->qq, lanes);
    const lanes square = xq * xq;
    const lane_ints better = square * best->qq > best->square * qq;
    best->step = better ? step : best->step;
    best->xq = better ? xq : best->xq;
    best->qq = better ? qq : best->qq;
    best->square = better ? square : best->square;
}

// Two trials at once, so that one's sums are finished while the other's are still added up.
LANE_FUNCTION void try_steps(const pair_codes *c, const pair_blocks *p, lanes one, lanes other, best_step *best) {
    const lane_pairs first = pairs_of_step(c, one), second = pairs_of_step(c, other);
    pair_sums a = {0, 0}, b = {0, 0};
    for (int j = 0; j < 16; j++) {
        add_pairs(&a, p->x[j], codes_of_pairs(c, p->x[j], first));
        add_pairs(&b, p->x[j], codes_of_pairs(c, p->x[j], second));
    }
    keep_better_step(best, one, &a);
    keep_better_step(best, other, &b);
}

LANE_FUNCTION void search_pairs(const symmetric_codes *codes, const float *src, ft_block_fields *fields) {
    const pair_codes c = pair_codes_of(codes);
    pair_blocks p;
    load_pairs(&p, src);
    best_step found = {0, 0, 1, 0};
    for (int k = 0; k < codes->stepCount; k += 2) try_steps(&c, &p, codes->steps[k], codes->steps[k + 1], &found);
    const lanes middle = found.step;
    try_steps(&c, &p, middle - codes->reach, middle + codes->reach, &found);

    // A half has to hold the scale: the fitted scale rounded, or the one fitted to the codes which that gives.
    lanes scale = lanes_ratio(found.xq, found.qq), d = 0, least = 0;
    const lanes unit = p.peak * (1.0f / 32767), inverse = 32767 * lanes_inverse(p.peak);
    lane_pairs step = 0;
    for (int r = 0; r < 2; r++) {
        const lanes rounded = lanes_half(scale * unit), s = rounded * inverse;
        const lane_pairs trial = pairs_of_step(&c, p.peak * lanes_inverse(rounded));
        pair_sums sums = {0, 0};
        for (int j = 0; j < 16; j++) add_pairs(&sums, p.x[j], codes_of_pairs(&c, p.x[j], trial));
        const lanes xq = __builtin_convertvector(sums.xq, lanes), qq = __builtin_convertvector(sums.qq, lanes);
        const lanes error = s * (s * qq - 2 * xq); // but for the energy of x
        const lane_ints better = error < least;
        d = better ? rounded : d;
        least = better ? error : least;
        step = (lane_pairs)(better ? (lane_ints)trial : (lane_ints)step);
        scale = lanes_ratio(xq, qq);
    }

    lanes words[LANES], bytes[LANES]; // four codes of a lane in each word
    for (int j = 0; j < LANES; j++) {
        const lane_ints first = (lane_ints)(codes_of_pairs(&c, p.x[2 * j], step) - c.low);
        const lane_ints second = (lane_ints)(codes_of_pairs(&c, p.x[2 * j + 1], step) - c.low);
        words[j] = (lanes)((first & 0xFF) | (first >> 8 & 0xFF00) | (second & 0xFF) << 16 | (second & 0xFF0000) << 8);
    }
    lanes_turn(words, bytes);
    for (int i = 0; i < LANES; i++) {
        memcpy(fields[i].codes, &bytes[i], 32);
        fields[i].d = ft_half_of_float(d[i]);
    }
}

#endif
