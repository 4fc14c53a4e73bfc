#ifndef FORETOKEN_SEARCH_SUPER_H
#define FORETOKEN_SEARCH_SUPER_H

#include "search_small.h"

// The K types and IQ4_XS: 256 elements share d (and dmin), each sub-block has a small integer scale (and minimum).
// First the best scale of each sub-block as a real number; then d, by alternating two exact steps: for given d the best
// integers of each sub-block among neighbours, for given integers and codes the best d by least squares.

typedef struct {
    lanes x[32], w[32], wx[32]; // sub-blocks of 16: element j of lane group g at [16 g + j]
    float unit;
    int groups, count; // groups of eight sub-blocks, elements of a sub-block
} super_block;

LANE_FUNCTION void load_super(
    super_block *s, int count, const float *src, const float *importance, element_preference preference) {
    s->count = count;
    s->groups = 32 / count;
    lanes largest = 0;
    for (int g = 0; g < s->groups; g++) {
        lanes_transpose(src + 128 * g, (size_t)count, count, s->x + count * g);
        if (importance) lanes_transpose(importance + 128 * g, (size_t)count, count, s->w + count * g);
    }
    if (!importance) {
        for (int j = 0; j < 32; j++) s->w[j] = 1;
    }
    for (int j = 0; j < 32; j++) largest = lanes_max(largest, lanes_abs(s->x[j]));
    float most = 0;
    for (int i = 0; i < LANES; i++) most = largest[i] > most ? largest[i] : most;
    s->unit = unit_of(most)[0];
    const lanes inverse = 1 / s->unit;
    lanes squares = 0;
    for (int j = 0; j < 32; j++) {
        s->x[j] *= inverse;
        squares += s->x[j] * s->x[j];
    }
    const float energy = lanes_sum(squares) / 256;
    for (int j = 0; j < 32; j++) {
        s->w[j] *= preferred(preference, energy + s->x[j] * s->x[j]);
        s->wx[j] = s->w[j] * s->x[j];
    }
}

LANE_FUNCTION lane_blocks group_of(const super_block *s, int g) {
    const int at = s->count * g;
    return (lane_blocks){s->x + at, s->w + at, s->wx + at, s->count};
}

// How much longer the scale of least error should be. Least squares leaves an error that points along x, so the whole
// output comes out too small by error / energy, and what all columns do together weighs more in a matrix's output than
// in the sum of its columns' errors. Half of it is given back, for a hundredth to a thirtieth more plain error.
LANE_FUNCTION float stretch_of(const super_block *s, float error) {
    lanes energy = 0;
    for (int j = 0; j < 32; j++) energy += s->wx[j] * s->x[j];
    const float sum = lanes_sum(energy), share = sum > 0 ? error / sum : 0;
    return 1 + 0.5f * (share < 0.125f ? share : 0.125f);
}

LANE_FUNCTION float super_half(const super_block *s, float v) { return half_rounded(v * s->unit) / s->unit; }

LANE_FUNCTION void store_super_codes(const super_block *s, const lane_ints *codes, ft_block_fields *fields) {
    lanes bytes[LANES];
    lanes_bytes(codes, bytes);
    const size_t count = (size_t)s->count;
    for (int g = 0; g < s->groups; g++) {
        for (int i = 0; i < LANES; i++) {
            memcpy(fields->codes + (size_t)(LANES * g + i) * count, (uint8_t *)&bytes[i] + count * (size_t)g, count);
        }
    }
}

// What distinguishes Q3_K, Q6_K and IQ4_XS.
typedef struct {
    const level_table *levels; // or NULL: uniform codes
    symmetric_codes codes;
    float leastScale, mostScale; // of the integers
    int reach;    // integers tried on each side of the nearest
    int restarts; // first values of d: the largest scale at leastScale, leastScale + 1, …, and at mostScale, …
} symmetric_super;

LANE_FUNCTION lanes refit_either(const symmetric_super *k, const lane_blocks *b, lanes scale, lanes *error) {
    return k->levels ? refit_levels(b, k->levels, scale, error) : refit_symmetric(b, k->codes.low, k->codes.high, scale, error);
}

// Codes of one sub-block group for given scales; returns the levels' sums for the fit of d.
LANE_FUNCTION void fit_sums(
    const symmetric_super *k, const lane_blocks *b, float d, lanes integer, lanes *xa, lanes *aa) {
    const lanes id = lanes_inverse(d * integer);
    for (int j = 0; j < b->count; j++) {
        lanes q;
        if (k->levels) nearest_level(k->levels, b->x[j] * id, &q);
        else q = lanes_round(lanes_clamp(b->x[j] * id, k->codes.low, k->codes.high));
        const lanes a = integer * q;
        *xa += b->wx[j] * a;
        *aa += b->w[j] * a * a;
    }
}

LANE_FUNCTION void search_super_symmetric(const symmetric_super *k, const super_block *s, ft_block_fields *fields) {
    lanes scale[2];
    float peak = 0;
    for (int g = 0; g < s->groups; g++) {
        const lane_blocks b = group_of(s, g);
        scale[g] = k->levels ? search_levels(&b, k->levels, k->codes.steps, k->codes.stepCount)
                             : search_symmetric(&b, &k->codes);
        for (int i = 0; i < LANES; i++) {
            if (__builtin_fabsf(scale[g][i]) > __builtin_fabsf(peak)) peak = scale[g][i];
        }
    }
    float bestD = 0, bestTotal = __builtin_inff();
    lanes bestInteger[2] = {0, 0};
    for (int start = 0; start < k->restarts; start++) {
        const float end = start % 2 ? k->mostScale - (float)(start / 2) : k->leastScale + (float)(start / 2);
        float d = super_half(s, peak / end);
        for (int r = 0; r < 3 && d != 0; r++) {
            lanes integer[2], xa = 0, aa = 0, total = 0;
            for (int g = 0; g < s->groups; g++) {
                const lane_blocks b = group_of(s, g);
                const lanes nearest = lanes_round(lanes_clamp(scale[g] / d, k->leastScale, k->mostScale));
                lanes least = __builtin_inff();
                integer[g] = nearest;
                for (int t = -k->reach; t <= k->reach; t++) {
                    const lanes trial = lanes_clamp(nearest + (float)t, k->leastScale, k->mostScale);
                    lanes error;
                    refit_either(k, &b, d * trial, &error);
                    const lane_ints better = error < least;
                    least = better ? error : least;
                    integer[g] = better ? trial : integer[g];
                }
                total += least;
                fit_sums(k, &b, d, integer[g], &xa, &aa);
            }
            const float sum = lanes_sum(total);
            if (!(sum < bestTotal)) break;
            bestTotal = sum;
            bestD = d;
            for (int g = 0; g < s->groups; g++) bestInteger[g] = integer[g];
            const float den = lanes_sum(aa);
            d = den > 0 ? super_half(s, lanes_sum(xa) / den) : 0;
        }
    }
    lane_ints codes[32];
    for (int g = 0; g < s->groups; g++) {
        const lanes id = lanes_inverse(bestD * bestInteger[g]);
        for (int j = 0; j < s->count; j++) {
            const lanes v = s->x[s->count * g + j] * id;
            lanes level;
            codes[s->count * g + j] =
                k->levels ? nearest_level(k->levels, v, &level)
                          : __builtin_convertvector(
                              lanes_round(lanes_clamp(v, k->codes.low, k->codes.high)) - k->codes.low, lane_ints);
        }
        for (int i = 0; i < LANES; i++) fields->scales[LANES * g + i] = (int8_t)bestInteger[g][i];
    }
    store_super_codes(s, codes, fields);
    fields->d = ft_half_of_float(super_half(s, bestD * stretch_of(s, bestTotal)) * s->unit);
}

// What distinguishes Q2_K, Q4_K and Q5_K.
typedef struct {
    float high;        // largest code
    float mostInteger; // largest scale and minimum
    affine_search plan;
    int reach;
    int restarts; // first values of d and dmin: the largest at mostInteger, mostInteger - 1, …
} affine_super;

LANE_FUNCTION void search_super_affine(const affine_super *k, const super_block *s, ft_block_fields *fields) {
    lane_line line[2];
    float mostScale = 0, mostMinimum = 0;
    for (int g = 0; g < s->groups; g++) {
        const lane_blocks b = group_of(s, g);
        line[g] = search_affine(&b, k->high, 1, &k->plan);
        for (int i = 0; i < LANES; i++) {
            if (line[g].scale[i] > mostScale) mostScale = line[g].scale[i];
            if (-line[g].offset[i] > mostMinimum) mostMinimum = -line[g].offset[i];
        }
    }
    float bestD = 0, bestDmin = 0, bestTotal = __builtin_inff();
    lanes bestScale[2] = {0, 0}, bestMinimum[2] = {0, 0};
    for (int start = 0; start < k->restarts; start++) {
        float d = super_half(s, mostScale / (k->mostInteger - 0.5f * (float)start));
        float dmin = super_half(s, mostMinimum / (k->mostInteger - 0.5f * (float)start));
        for (int r = 0; r < 3; r++) {
            lanes integer[2], minimum[2], total = 0, aa = 0, am = 0, mm = 0, xa = 0, xm = 0;
            const float inverse = d != 0 ? 1 / d : 0, inverseMinimum = dmin != 0 ? 1 / dmin : 0;
            for (int g = 0; g < s->groups; g++) {
                const lane_blocks b = group_of(s, g);
                const lanes nearScale = lanes_round(lanes_clamp(line[g].scale * inverse, 0, k->mostInteger));
                const lanes nearMinimum =
                    lanes_round(lanes_clamp(-line[g].offset * inverseMinimum, 0, k->mostInteger));
                lanes least = __builtin_inff();
                integer[g] = nearScale;
                minimum[g] = nearMinimum;
                for (int t = -k->reach; t <= k->reach; t++) {
                    for (int u = -k->reach; u <= k->reach; u++) {
                        const lanes a = lanes_clamp(nearScale + (float)t, 0, k->mostInteger);
                        const lanes m = lanes_clamp(nearMinimum + (float)u, 0, k->mostInteger);
                        const lanes error = line_error(&b, k->high, d * a, -(dmin * m));
                        const lane_ints better = error < least;
                        least = better ? error : least;
                        integer[g] = better ? a : integer[g];
                        minimum[g] = better ? m : minimum[g];
                    }
                }
                total += least;
                const lanes id = lanes_inverse(d * integer[g]), offset = dmin * minimum[g];
                for (int j = 0; j < b.count; j++) {
                    const lanes q = lanes_round(lanes_clamp((b.x[j] + offset) * id, 0, k->high));
                    const lanes a = integer[g] * q, wa = b.w[j] * a, wm = b.w[j] * minimum[g];
                    aa += wa * a;
                    am += wa * minimum[g];
                    mm += wm * minimum[g];
                    xa += b.wx[j] * a;
                    xm += b.wx[j] * minimum[g];
                }
            }
            const float sum = lanes_sum(total);
            if (!(sum < bestTotal)) break;
            bestTotal = sum;
            bestD = d;
            bestDmin = dmin;
            for (int g = 0; g < s->groups; g++) {
                bestScale[g] = integer[g];
                bestMinimum[g] = minimum[g];
            }
            // x ≈ d a - dmin m.
            const float AA = lanes_sum(aa), AM = lanes_sum(am), MM = lanes_sum(mm), XA = lanes_sum(xa),
                        XM = lanes_sum(xm), determinant = AA * MM - AM * AM;
            if (determinant > 1e-6f * AA * MM) {
                d = super_half(s, (XA * MM - XM * AM) / determinant);
                dmin = super_half(s, (XA * AM - XM * AA) / determinant);
            } else if (AA > 0) {
                d = super_half(s, XA / AA);
            } else if (MM > 0) {
                dmin = super_half(s, -XM / MM);
            } else {
                break;
            }
        }
    }
    lane_ints codes[32];
    for (int g = 0; g < s->groups; g++) {
        const lanes id = lanes_inverse(bestD * bestScale[g]), offset = bestDmin * bestMinimum[g];
        for (int j = 0; j < s->count; j++) {
            const lanes v = (s->x[s->count * g + j] + offset) * id;
            codes[s->count * g + j] = __builtin_convertvector(lanes_round(lanes_clamp(v, 0, k->high)), lane_ints);
        }
        for (int i = 0; i < LANES; i++) {
            fields->scales[LANES * g + i] = (int8_t)bestScale[g][i];
            fields->minimums[LANES * g + i] = (uint8_t)bestMinimum[g][i];
        }
    }
    store_super_codes(s, codes, fields);
    const float stretch = stretch_of(s, bestTotal);
    fields->d = ft_half_of_float(super_half(s, bestD * stretch) * s->unit);
    fields->dmin = ft_half_of_float(super_half(s, bestDmin * stretch) * s->unit);
}

#endif
