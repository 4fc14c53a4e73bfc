#ifndef FORETOKEN_SEARCH_FEEDBACK_H
#define FORETOKEN_SEARCH_FEEDBACK_H

#include "feedback_internal.h"
#include "search_levels.h"

// Codes of eight rows at once; the file that includes this names the function and chooses the instruction set.

// Code and value nearest to v.
LANE_FUNCTION lane_ints feedback_code(
    const ft_feedback_levels *l, const level_table *table, lanes v, lanes scale, lanes offset, lanes *value) {
    const lanes position = (v - offset) * lanes_inverse(scale);
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

LANE_FUNCTION void store_feedback_codes(lane_ints codes, uint8_t *out) {
    for (int i = 0; i < LANES; i++) out[i] = (uint8_t)codes[i];
}

// Few directions: what was done to them is carried from column to column.
LANE_FUNCTION void feedback_directions(
    const ft_feedback_levels *l, const level_table *table, size_t n, const lanes *x, const lanes *scale,
    const lanes *offset, const ft_feedback *f, uint8_t *codes) {
    lanes carried[FT_FEEDBACK_RANK] = {0}, wanted = 0;
    for (size_t k = 0; k < n; k++) {
        lanes value;
        store_feedback_codes(feedback_code(l, table, x[k] + wanted, scale[k], offset[k], &value), codes + LANES * k);
        const lanes error = x[k] - value;
        // What this error adds to the output, and what the next column has to make up for, in one walk.
        const float *direction = f->directions + k * FT_FEEDBACK_RANK;
        const float *answer = f->answers + (k + 1 < n ? k + 1 : k) * FT_FEEDBACK_RANK;
        lanes sums[4] = {0};
        for (int r = 0; r < FT_FEEDBACK_RANK; r += 4) {
            for (int i = 0; i < 4; i++) {
                carried[r + i] += error * direction[r + i];
                sums[i] += carried[r + i] * answer[r + i];
            }
        }
        wanted = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    }
}

// The columns of a run, each error taken from those of the run to come.
LANE_FUNCTION void feedback_run(
    const ft_feedback_levels *l, const level_table *table, size_t at, size_t end, size_t n, lanes *x,
    const lanes *scale, const lanes *offset, const float *upper, lanes *errors, uint8_t *codes) {
    for (size_t k = at; k < end; k++) {
        const float *u = upper + k * n;
        lanes value;
        store_feedback_codes(feedback_code(l, table, x[k], scale[k], offset[k], &value), codes + LANES * k);
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
    lanes *x = (lanes *)s->x, *scale = (lanes *)s->scale, *offset = (lanes *)s->offset;
    if (!f->upper) {
        for (size_t set = 0; set < s->sets; set++) {
            const size_t at = set * n;
            feedback_directions(l, &table, n, x + at, scale + at, offset + at, f, s->codes + LANES * at);
        }
        return;
    }
    for (size_t first = 0; first < n; first += FEEDBACK_RUN) {
        const size_t end = n - first < FEEDBACK_RUN ? n : first + FEEDBACK_RUN;
        for (size_t set = 0; set < s->sets; set++) {
            const size_t at = set * n;
            feedback_run(
                l, &table, first, end, n, x + at, scale + at, offset + at, f->upper,
                (lanes *)s->errors + set * FEEDBACK_RUN, s->codes + LANES * at);
        }
        feedback_spread(s, first, end, f->upper);
    }
}

#endif
