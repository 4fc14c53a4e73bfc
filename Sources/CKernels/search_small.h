#ifndef FORETOKEN_SEARCH_SMALL_H
#define FORETOKEN_SEARCH_SMALL_H

#include "row_encode.h"
#include "search_scales.h"

// Types whose blocks of 32 stand alone: eight blocks at once, one in each lane.

// A power of two near the largest magnitude of each lane, so that squares neither overflow nor vanish.
LANE_FUNCTION lanes unit_of(lanes largest) {
    lane_ints exponent = (lane_ints)largest >> 23;
    exponent = exponent < 40 ? (lane_ints)40 : exponent;
    exponent = exponent > 210 ? (lane_ints)210 : exponent;
    return (lanes)(exponent << 23);
}

// How much more an element counts for being large itself: a root of the mean square of the block plus its own square.
// The error of a matrix's output is not the sum of its columns' errors alone, and with few levels, preferring large
// elements lowers that error though it raises the sum a little (formats/block-search.md has figures).
typedef enum { COUNT_ALIKE, COUNT_FOURTH_ROOT, COUNT_SQUARE_ROOT } element_preference;

LANE_FUNCTION element_preference preference_of(ft_type type) {
    switch ((int)type) {
    case FT_Q2_K: return COUNT_SQUARE_ROOT;
    case FT_Q3_K: case FT_Q4_0: return COUNT_FOURTH_ROOT;
    }
    return COUNT_ALIKE;
}

LANE_FUNCTION lanes preferred(element_preference preference, lanes v) {
    if (preference == COUNT_ALIKE) return 1;
    return preference == COUNT_SQUARE_ROOT ? lanes_root(v) : lanes_root(lanes_root(v));
}

// Eight blocks in normal form.
typedef struct {
    lanes x[32], w[32], wx[32];
    lanes unit; // x times unit is the element
} small_blocks;

LANE_FUNCTION void load_small(
    small_blocks *s, const float *src, const float *importance, element_preference preference) {
    lanes_transpose(src, 32, 32, s->x);
    lanes largest = 0;
    for (int j = 0; j < 32; j++) largest = lanes_max(largest, lanes_abs(s->x[j]));
    s->unit = unit_of(largest);
    const lanes inverse = 1 / s->unit;
    if (importance) {
        lanes_transpose(importance, 32, 32, s->w);
    } else {
        for (int j = 0; j < 32; j++) s->w[j] = 1;
    }
    lanes energy = 0;
    for (int j = 0; j < 32; j++) {
        s->x[j] *= inverse;
        energy += s->x[j] * s->x[j];
    }
    for (int j = 0; j < 32; j++) {
        s->w[j] *= preferred(preference, energy / 32 + s->x[j] * s->x[j]);
        s->wx[j] = s->w[j] * s->x[j];
    }
}

// A scale in units, rounded to what a half can hold.
LANE_FUNCTION lanes half_in_units(lanes scale, lanes unit) { return lanes_half(scale * unit) / unit; }

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof(array)[0]))

static const float steps_q4_0[] = {-9.2f, -8.6f, -8.0f, -7.4f, -6.8f, -6.0f, 8.0f, 7.4f, 6.8f, 6.0f};
static const float steps_q5_0[] = {-17.4f, -16.7f, -16.0f, -15.3f, -14.5f, -13.5f, 16.2f, 15.5f, 14.8f, 14.0f};
static const float steps_q8_0[] = {-129.0f, -128.0f, -126.5f, -125.0f, -123.0f, -120.5f,
                                   -118.0f, 127.5f,  126.0f,  124.3f,  122.0f,  119.5f};
static const symmetric_codes codes_q4_0 = {-8, 7, steps_q4_0, COUNT_OF(steps_q4_0), 0.25f};
static const symmetric_codes codes_q5_0 = {-16, 15, steps_q5_0, COUNT_OF(steps_q5_0), 0.35f};
static const symmetric_codes codes_q8_0 = {-128, 127, steps_q8_0, COUNT_OF(steps_q8_0), 0.4f};

// Trial scales of IQ4's levels, given in the same way.
static const float steps_levels[] = {-148.0f, -141.0f, -134.0f, -128.0f, -122.0f, -116.0f, -110.0f, -103.0f, -96.0f,
                                     -88.0f,  134.0f,  127.0f,  121.0f,  115.0f,  110.0f,  105.0f,  98.0f,  90.0f};
static const affine_search plan_small_affine = {0.03f, 0.3f, 7, 4, 0.035f, 0.7f};

LANE_FUNCTION void store_lane_codes(const lane_ints *codes, ft_block_fields *fields) {
    lanes bytes[LANES];
    lanes_bytes(codes, bytes);
    for (int i = 0; i < LANES; i++) memcpy(fields[i].codes, &bytes[i], 32);
}

LANE_FUNCTION void search_small_symmetric(const small_blocks *s, const symmetric_codes *c, ft_block_fields *fields) {
    const lane_blocks b = {s->x, s->w, s->wx, 32};
    const float low = c->low, high = c->high;
    lanes scale = half_in_units(search_symmetric(&b, c), s->unit), best = scale;
    lanes error, bestError;
    scale = refit_symmetric(&b, low, high, scale, &bestError);
    for (int r = 0; r < 2; r++) {
        const lanes rounded = half_in_units(scale, s->unit);
        scale = refit_symmetric(&b, low, high, rounded, &error);
        const lane_ints better = error < bestError;
        best = better ? rounded : best;
        bestError = better ? error : bestError;
    }
    lane_ints codes[32];
    const lanes id = lanes_inverse(best), d = best * s->unit;
    for (int j = 0; j < 32; j++) {
        codes[j] = __builtin_convertvector(lanes_round(lanes_clamp(s->x[j] * id, low, high)) - low, lane_ints);
    }
    store_lane_codes(codes, fields);
    for (int i = 0; i < LANES; i++) fields[i].d = ft_half_of_float(d[i]);
}

LANE_FUNCTION void search_small_affine(const small_blocks *s, float high, ft_block_fields *fields) {
    const lane_blocks b = {s->x, s->w, s->wx, 32};
    const affine_sums sums = affine_sums_of(&b);
    lane_line line = search_affine(&b, high, 0, &plan_small_affine);
    lanes scale = 0, offset = 0, bestError = __builtin_inff();
    for (int r = 0; r < 3; r++) {
        const lanes d = half_in_units(line.scale, s->unit), m = half_in_units(line.offset, s->unit);
        const lanes error = line_error(&b, high, d, m);
        const lane_ints better = error < bestError;
        scale = better ? d : scale;
        offset = better ? m : offset;
        bestError = better ? error : bestError;
        line = fit_line(&b, &sums, high, 0, d, m);
    }
    lane_ints codes[32];
    const lanes id = lanes_inverse(scale), d = scale * s->unit, m = offset * s->unit;
    for (int j = 0; j < 32; j++) {
        codes[j] = __builtin_convertvector(lanes_round(lanes_clamp((s->x[j] - offset) * id, 0, high)), lane_ints);
    }
    store_lane_codes(codes, fields);
    for (int i = 0; i < LANES; i++) {
        fields[i].d = ft_half_of_float(d[i]);
        fields[i].dmin = ft_half_of_float(m[i]);
    }
}

LANE_FUNCTION void search_small_levels(const small_blocks *s, ft_block_fields *fields) {
    const lane_blocks b = {s->x, s->w, s->wx, 32};
    float levels[16];
    for (int i = 0; i < 16; i++) levels[i] = ft_iq4_levels[i];
    const level_table t = level_table_of(levels);
    lanes scale = half_in_units(search_levels(&b, &t, steps_levels, COUNT_OF(steps_levels)), s->unit), best = scale;
    lanes error, bestError;
    scale = refit_levels(&b, &t, scale, &bestError);
    for (int r = 0; r < 2; r++) {
        const lanes rounded = half_in_units(scale, s->unit);
        scale = refit_levels(&b, &t, rounded, &error);
        const lane_ints better = error < bestError;
        best = better ? rounded : best;
        bestError = better ? error : bestError;
    }
    lane_ints codes[32];
    lanes level;
    const lanes id = lanes_inverse(best), d = best * s->unit;
    for (int j = 0; j < 32; j++) codes[j] = nearest_level(&t, s->x[j] * id, &level);
    store_lane_codes(codes, fields);
    for (int i = 0; i < LANES; i++) fields[i].d = ft_half_of_float(d[i]);
}

// MXFP4: the scale is a power of two; the reference's exponent, one less and one more are tried.
LANE_FUNCTION void search_mxfp4(const small_blocks *s, ft_block_fields *fields) {
    static const float levels[16] = {-12, -8, -6, -4, -3, -2, -1, 0, 1, 2, 3, 4, 6, 8, 12, 12};
    static const uint8_t codeOf[16] = {15, 14, 13, 12, 11, 10, 9, 0, 1, 2, 3, 4, 5, 6, 7, 7};
    const lane_blocks b = {s->x, s->w, s->wx, 32};
    const level_table t = level_table_of(levels);
    const lanes largest = lanes_abs(lane_peak(&b)) * s->unit;
    const lane_ints reference = ((lane_ints)largest >> 23) - 2;
    lane_ints bestExponent = 0;
    lanes bestError = __builtin_inff();
    for (int k = -1; k <= 1; k++) {
        lane_ints exponent = reference + k;
        exponent = exponent < 0 ? (lane_ints)0 : exponent;
        exponent = exponent > 254 ? (lane_ints)254 : exponent;
        lanes error, scale;
        for (int i = 0; i < LANES; i++) scale[i] = ft_half_of_e8m0((uint8_t)exponent[i]);
        refit_levels(&b, &t, scale / s->unit, &error);
        const lane_ints better = error < bestError;
        bestExponent = better ? exponent : bestExponent;
        bestError = better ? error : bestError;
    }
    lanes scale, level;
    for (int i = 0; i < LANES; i++) scale[i] = ft_half_of_e8m0((uint8_t)bestExponent[i]);
    const lanes id = s->unit / scale;
    lane_ints codes[32];
    for (int j = 0; j < 32; j++) codes[j] = nearest_level(&t, s->x[j] * id, &level);
    store_lane_codes(codes, fields);
    for (int i = 0; i < LANES; i++) {
        fields[i].d = (uint16_t)bestExponent[i];
        for (int j = 0; j < 32; j++) fields[i].codes[j] = codeOf[fields[i].codes[j]];
    }
}

#endif
