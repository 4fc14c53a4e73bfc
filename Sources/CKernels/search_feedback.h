#ifndef FORETOKEN_SEARCH_FEEDBACK_H
#define FORETOKEN_SEARCH_FEEDBACK_H

#include "feedback_internal.h"
#include "search_levels.h"

// Codes of eight rows at once; the file that includes this names the function and chooses the instruction set.

// Code and value nearest to v.
LANE_FUNCTION lane_ints feedback_code(
    const ft_feedback_levels *l, const level_table *table, lanes v, lanes scale, lanes inverse, lanes offset,
    lanes *value) {
    const lanes position = (v - offset) * inverse;
    if (l->table) {
        lanes level;
        const lane_ints code = nearest_level(table, position, &level);
        *value = scale * level + offset;
        return code;
    }
    const lanes code = lanes_round(lanes_clamp(position - l->first, 0, l->most));
    *value = scale * (l->first + code) + offset;
    return __builtin_convertvector(code, lane_ints);
}

typedef uint8_t feedback_bytes __attribute__((ext_vector_type(8)));

LANE_FUNCTION void store_feedback_codes(lane_ints codes, uint8_t *out) {
    const feedback_bytes bytes = __builtin_convertvector(codes, feedback_bytes);
    memcpy(out, &bytes, LANES);
}

// Weights of eight rows, fewer at the end, as lanes in the order of coding.
LANE_FUNCTION void feedback_fill(const float *w, size_t rows, size_t n, const uint32_t *place, lanes *x) {
    for (size_t j = 0; j < n; j += LANES) {
        const size_t count = n - j < LANES ? n - j : LANES;
        lanes r[LANES] = {0}, turned[LANES];
        for (size_t i = 0; i < rows; i++) memcpy(&r[i], w + i * n + j, count * sizeof(float));
        lanes_turn(r, turned);
        for (size_t c = 0; c < count; c++) x[place[j + c]] = turned[c];
    }
}

// Few directions: what was done to them is carried from column to column. Every step waits for the one before, so the
// sets of `together` rows go side by side.
LANE_FUNCTION void feedback_directions(
    const ft_feedback_sets *s, const ft_feedback_levels *l, const level_table *table, const ft_feedback *f, size_t first,
    int together) {
    enum { MOST = 2, SUMS = 4 };
    lanes carried[MOST][FT_FEEDBACK_RANK] = {0}, wanted[MOST] = {0};
    const lanes *x = (const lanes *)s->x + first * s->n;
    const lanes *scale = (const lanes *)s->scale + first * s->units, *inverse = (const lanes *)s->inverse + first * s->units,
                *offset = (const lanes *)s->offset + first * s->units;
    uint8_t *codes = s->codes + LANES * first * s->n;
    for (size_t k = 0; k < s->n; k++) {
        const float *direction = f->directions + k * FT_FEEDBACK_RANK;
        const float *answer = f->answers + (k + 1 < s->n ? k + 1 : k) * FT_FEEDBACK_RANK;
        lanes error[MOST], sums[MOST][SUMS] = {0};
        for (int g = 0; g < together; g++) {
            const size_t at = (size_t)g * s->n + k, unit = (size_t)g * s->units + s->unit[k];
            lanes value;
            store_feedback_codes(
                feedback_code(l, table, x[at] + wanted[g], scale[unit], inverse[unit], offset[unit], &value),
                codes + LANES * at);
            error[g] = x[at] - value;
        }
        // What these errors add to the output, and what the next column has to make up for, in one walk.
        for (int r = 0; r < FT_FEEDBACK_RANK; r += SUMS) {
            for (int i = 0; i < SUMS; i++) {
                const lanes along = direction[r + i], asks = answer[r + i];
                for (int g = 0; g < together; g++) {
                    carried[g][r + i] += error[g] * along;
                    sums[g][i] += carried[g][r + i] * asks;
                }
            }
        }
        for (int g = 0; g < together; g++) wanted[g] = (sums[g][0] + sums[g][1]) + (sums[g][2] + sums[g][3]);
    }
}

// The columns of a run, each error taken from those of the run to come.
LANE_FUNCTION void feedback_run(
    const ft_feedback_levels *l, const level_table *table, size_t at, size_t end, size_t n, lanes *x,
    const uint32_t *unit, const lanes *scale, const lanes *inverse, const lanes *offset, const float *upper, lanes *errors, uint8_t *codes) {
    for (size_t k = at; k < end; k++) {
        const float *u = upper + k * n;
        lanes value;
        store_feedback_codes(
            feedback_code(l, table, x[k], scale[unit[k]], inverse[unit[k]], offset[unit[k]], &value), codes + LANES * k);
        const lanes error = (x[k] - value) / u[k];
        errors[k - at] = error;
        for (size_t j = k + 1; j < end; j++) x[j] -= error * u[j];
    }
}

// Takes a run's errors from the columns after it: for all sets, so that U is read once.
LANE_FUNCTION void feedback_spread(const ft_feedback_sets *s, size_t at, size_t end, const float *upper) {
    enum { TILE = 8 };
    for (size_t j = end; j < s->n; j += TILE) {
        const size_t count = s->n - j < TILE ? s->n - j : TILE;
        for (size_t set = 0; set < s->sets; set++) {
            lanes *x = (lanes *)s->x + set * s->n + j;
            const lanes *errors = (const lanes *)s->errors + set * FEEDBACK_RUN;
            if (count < TILE) {
                for (size_t k = at; k < end; k++) {
                    for (size_t i = 0; i < count; i++) x[i] -= errors[k - at] * upper[k * s->n + j + i];
                }
                continue;
            }
            lanes sums[TILE];
            for (int i = 0; i < TILE; i++) sums[i] = x[i];
            for (size_t k = at; k < end; k++) {
                const float *u = upper + k * s->n + j;
                for (int i = 0; i < TILE; i++) sums[i] -= errors[k - at] * u[i];
            }
            for (int i = 0; i < TILE; i++) x[i] = sums[i];
        }
    }
}

LANE_FUNCTION void feedback_choose(const ft_feedback_sets *s, const ft_feedback_levels *l, const ft_feedback *f) {
    level_table table = {0};
    if (l->table) table = level_table_of(l->table);
    const size_t n = s->n;
    lanes *x = (lanes *)s->x, *scale = (lanes *)s->scale, *inverse = (lanes *)s->inverse, *offset = (lanes *)s->offset;
    for (size_t set = 0; set < s->sets; set++) {
        const size_t first = set * LANES, count = s->rows - first < LANES ? s->rows - first : LANES;
        feedback_fill(s->w + first * n, s->rows > first ? count : 0, n, f->place, x + set * n);
    }
    for (size_t i = 0; i < s->sets * s->units; i++) inverse[i] = lanes_inverse(scale[i]);
    if (!f->upper) {
        size_t set = 0;
        for (; set + 2 <= s->sets; set += 2) feedback_directions(s, l, &table, f, set, 2);
        if (set < s->sets) feedback_directions(s, l, &table, f, set, 1);
        return;
    }
    for (size_t first = 0; first < n; first += FEEDBACK_RUN) {
        const size_t end = n - first < FEEDBACK_RUN ? n : first + FEEDBACK_RUN;
        for (size_t set = 0; set < s->sets; set++) {
            const size_t at = set * n, units = set * s->units;
            feedback_run(
                l, &table, first, end, n, x + at, s->unit, scale + units, inverse + units, offset + units, f->upper,
                (lanes *)s->errors + set * FEEDBACK_RUN, s->codes + LANES * at);
        }
        feedback_spread(s, first, end, f->upper);
    }
}

#endif
