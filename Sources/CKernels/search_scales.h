#ifndef FORETOKEN_SEARCH_SCALES_H
#define FORETOKEN_SEARCH_SCALES_H

#include "search_levels.h"

// One scale, or scale and offset, for each lane's sub-block, minimising the sum of w (x - value)^2.
//
// For fixed codes the best scale is a least-squares quotient, and the error it leaves is the energy of x less a gain
// that the same sums give. So a candidate costs one pass: code with a trial scale, keep the quotient with the largest
// gain. Trial scales cover clipping the largest element as well as keeping it.

typedef struct {
    const lanes *x;  // elements, scaled so that the largest magnitude is about 1
    const lanes *w;  // weights, none negative
    const lanes *wx; // their products
    int count;       // elements of a sub-block
} lane_blocks;

// The element of largest magnitude of each lane, with its sign.
LANE_FUNCTION lanes lane_peak(const lane_blocks *b) {
    lanes peak = 0, largest = 0;
    for (int j = 0; j < b->count; j++) {
        const lanes magnitude = lanes_abs(b->x[j]);
        const lane_ints larger = magnitude > largest;
        peak = larger ? b->x[j] : peak;
        largest = larger ? magnitude : largest;
    }
    return peak;
}

// Tries the codes low…high that x times `id` rounds to: keeps their least-squares scale if its gain is the largest.
LANE_FUNCTION void try_symmetric(const lane_blocks *b, lanes low, lanes high, lanes id, lanes *best, lanes *bestGain) {
    lanes xq = 0, qq = 0;
    for (int j = 0; j < b->count; j++) {
        const lanes q = lanes_round(lanes_clamp(b->x[j] * id, low, high));
        xq += b->wx[j] * q;
        qq += b->w[j] * q * q;
    }
    const lanes scale = lanes_ratio(xq, qq), gain = scale * xq;
    const lane_ints better = gain > *bestGain;
    *best = better ? scale : *best;
    *bestGain = better ? gain : *bestGain;
}

// Uniform codes low…high around zero. Each step c tries the scale peak / c; then the two steps `reach` beside the best
// one are tried.
typedef struct {
    float low, high; // low is minus a power of two
    const float *steps;
    int stepCount; // even
    float reach;
} symmetric_codes;

LANE_FUNCTION lanes search_symmetric(const lane_blocks *b, const symmetric_codes *c) {
    const lanes inverse = lanes_inverse(lane_peak(b));
    lanes best = 0, gain = 0, step = 0;
    for (int k = 0; k < c->stepCount; k++) {
        const lanes before = gain;
        try_symmetric(b, c->low, c->high, c->steps[k] * inverse, &best, &gain);
        step = gain > before ? (lanes)c->steps[k] : step;
    }
    for (int side = -1; side <= 1; side += 2) {
        try_symmetric(b, c->low, c->high, (step + (float)side * c->reach) * inverse, &best, &gain);
    }
    return best;
}

// The least-squares scale of the codes that `scale` gives, and the error of `scale` itself.
LANE_FUNCTION lanes refit_symmetric(const lane_blocks *b, lanes low, lanes high, lanes scale, lanes *error) {
    const lanes id = lanes_inverse(scale);
    lanes xq = 0, qq = 0, e = 0;
    for (int j = 0; j < b->count; j++) {
        const lanes q = lanes_round(lanes_clamp(b->x[j] * id, low, high)), rest = b->x[j] - scale * q;
        e += b->w[j] * rest * rest;
        xq += b->wx[j] * q;
        qq += b->w[j] * q * q;
    }
    *error = e;
    return lanes_ratio(xq, qq);
}

// The same two for sixteen levels of any spacing; a step c again tries peak / c.
LANE_FUNCTION lanes search_levels(const lane_blocks *b, const level_table *t, const float *steps, int stepCount) {
    const lanes inverse = lanes_inverse(lane_peak(b));
    lanes best = 0, bestGain = 0;
    for (int k = 0; k < stepCount; k++) {
        const lanes id = steps[k] * inverse;
        lanes xq = 0, qq = 0;
        for (int j = 0; j < b->count; j++) {
            lanes q;
            nearest_level(t, b->x[j] * id, &q);
            xq += b->wx[j] * q;
            qq += b->w[j] * q * q;
        }
        const lanes scale = lanes_ratio(xq, qq), gain = scale * xq;
        const lane_ints better = gain > bestGain;
        best = better ? scale : best;
        bestGain = better ? gain : bestGain;
    }
    return best;
}

LANE_FUNCTION lanes refit_levels(const lane_blocks *b, const level_table *t, lanes scale, lanes *error) {
    const lanes id = lanes_inverse(scale);
    lanes xq = 0, qq = 0, e = 0;
    for (int j = 0; j < b->count; j++) {
        lanes q;
        nearest_level(t, b->x[j] * id, &q);
        const lanes rest = b->x[j] - scale * q;
        e += b->w[j] * rest * rest;
        xq += b->wx[j] * q;
        qq += b->w[j] * q * q;
    }
    *error = e;
    return lanes_ratio(xq, qq);
}

typedef struct {
    lanes scale, offset, gain;
} lane_line;

// Sums of an affine fit that do not depend on the codes.
typedef struct {
    lanes w, x;
} affine_sums;

LANE_FUNCTION affine_sums affine_sums_of(const lane_blocks *b) {
    affine_sums sums = {0, 0};
    for (int j = 0; j < b->count; j++) {
        sums.w += b->w[j];
        sums.x += b->wx[j];
    }
    return sums;
}

// The least-squares line through the codes 0…high that scale and offset give. With `below`, offsets above zero are not
// allowed.
LANE_FUNCTION lane_line fit_line(
    const lane_blocks *b, const affine_sums *sums, float high, int below, lanes scale, lanes offset) {
    const lanes id = lanes_inverse(scale);
    lanes q1 = 0, q2 = 0, xq = 0;
    for (int j = 0; j < b->count; j++) {
        const lanes q = lanes_round(lanes_clamp((b->x[j] - offset) * id, 0, high)), wq = b->w[j] * q;
        q1 += wq;
        q2 += wq * q;
        xq += b->wx[j] * q;
    }
    const lanes determinant = sums->w * q2 - q1 * q1;
    const lane_ints sound = determinant > 1e-6f * sums->w * q2;
    const lanes inverse = lanes_inverse(sound ? determinant : (lanes)0);
    lane_line line;
    line.scale = (sums->w * xq - sums->x * q1) * inverse;
    line.offset = sound ? (sums->x * q2 - q1 * xq) * inverse : lanes_ratio(sums->x, sums->w);
    if (below) {
        const lane_ints above = line.offset > 0;
        line.scale = above ? lanes_ratio(xq, q2) : line.scale;
        line.offset = above ? (lanes)0 : line.offset;
    }
    line.gain = line.scale * xq + line.offset * sums->x;
    return line;
}

// Keeps the better of two lines, lane by lane.
LANE_FUNCTION void keep_better(lane_line *best, const lane_line *other) {
    const lane_ints better = other->gain > best->gain;
    best->scale = better ? other->scale : best->scale;
    best->offset = better ? other->offset : best->offset;
    best->gain = better ? other->gain : best->gain;
}

typedef struct {
    float outside, inside; // how far beyond and within the range of x the trial ends lie, as parts of the range
    int grid;              // trial positions of each end
    int rounds;            // of moving both ends around the best line so far
    float step, shrink;    // of those moves, as parts of the range
} affine_search;

LANE_FUNCTION lane_line search_affine(const lane_blocks *b, float high, int below, const affine_search *plan) {
    const affine_sums sums = affine_sums_of(b);
    lanes least = b->x[0], most = b->x[0];
    for (int j = 1; j < b->count; j++) {
        least = lanes_min(least, b->x[j]);
        most = lanes_max(most, b->x[j]);
    }
    if (below) least = lanes_min(least, 0);
    const lanes range = most - least;
    const float span = (plan->outside + plan->inside) / (float)(plan->grid - 1);
    lane_line best = {0, 0, -1};
    for (int i = 0; i < plan->grid; i++) {
        lanes low = least + range * ((float)i * span - plan->outside);
        if (below) low = lanes_min(low, 0);
        for (int k = 0; k < plan->grid; k++) {
            const lanes top = most - range * ((float)k * span - plan->outside);
            const lane_line line = fit_line(b, &sums, high, below, (top - low) / high, low);
            keep_better(&best, &line);
        }
    }
    lanes step = range * plan->step;
    for (int r = 0; r < plan->rounds; r++) {
        const lanes low = best.offset, top = best.offset + best.scale * high;
        for (int i = -1; i <= 1; i++) {
            for (int k = -1; k <= 1; k++) {
                const lanes from = low + (float)i * step, to = top + (float)k * step;
                const lane_line line = fit_line(b, &sums, high, below, (to - from) / high, from);
                keep_better(&best, &line);
            }
        }
        step *= plan->shrink;
    }
    return best;
}

// The error of a line as it stands.
LANE_FUNCTION lanes line_error(const lane_blocks *b, float high, lanes scale, lanes offset) {
    const lanes id = lanes_inverse(scale);
    lanes e = 0;
    for (int j = 0; j < b->count; j++) {
        const lanes shifted = b->x[j] - offset;
        const lanes rest = shifted - scale * lanes_round(lanes_clamp(shifted * id, 0, high));
        e += b->w[j] * rest * rest;
    }
    return e;
}

#endif
