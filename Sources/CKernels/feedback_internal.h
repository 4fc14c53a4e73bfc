#ifndef FORETOKEN_FEEDBACK_INTERNAL_H
#define FORETOKEN_FEEDBACK_INTERNAL_H

#include "feedback.h"

enum { FEEDBACK_ROWS = 8, FEEDBACK_RUN = 256 };

// The levels that codes stand for, in increasing order: 0, 1, … from `first` on, or sixteen of a table.
typedef struct {
    const float *table; // or NULL
    float first, most;  // of levels without a table: the lowest, and how many follow
} ft_feedback_levels;

// Rows in sets of eight, a row in each lane, columns in the order of coding; aligned to 32 bytes. Code k of row i, counted
// along the levels, goes to codes[8 k + i] of its set.
typedef struct {
    size_t sets, n;
    float *x;      // sets × n × 8: the weights, used up
    float *scale;  // sets × n × 8
    float *offset; // sets × n × 8: a level's value is scale · level + offset
    float *errors; // sets × FEEDBACK_RUN × 8
    uint8_t *codes;
} ft_feedback_sets;

void ft_feedback_choose_scalar(const ft_feedback_sets *s, const ft_feedback_levels *l, const ft_feedback *f);
void ft_feedback_choose_avx2(const ft_feedback_sets *s, const ft_feedback_levels *l, const ft_feedback *f);

#endif
