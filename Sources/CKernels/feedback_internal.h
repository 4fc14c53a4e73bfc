#ifndef FORETOKEN_FEEDBACK_INTERNAL_H
#define FORETOKEN_FEEDBACK_INTERNAL_H

#include "feedback.h"

enum { FEEDBACK_ROWS = 8, FEEDBACK_RUN = 256 };

// The levels that codes stand for, in increasing order: 0, 1, … from `first` on, or sixteen of a table.
typedef struct {
    const float *table; // or NULL
    float first, most;  // of levels without a table: the lowest, and how many follow
} ft_feedback_levels;

// Rows in sets of eight, a row in each lane; all but the weights aligned to 32 bytes.
typedef struct {
    size_t rows, n, sets;
    const float *w;       // rows × n
    const uint32_t *unit; // n, in the order of coding: which of its row's units, that share scale and offset, a column is in
    size_t units;         // of a row
    float *scale;         // sets × units × 8
    float *inverse;       // the same size
    float *offset;        // sets × units × 8: a level's value is scale · level + offset
    float *x;             // sets × n × 8: weights in the order of coding, used up
    float *errors;        // sets × FEEDBACK_RUN × 8
    uint8_t *codes;       // sets × n × 8, in the order of coding, counted along the levels
} ft_feedback_sets;

void ft_feedback_choose_scalar(const ft_feedback_sets *s, const ft_feedback_levels *l, const ft_feedback *f);
void ft_feedback_choose_avx2(const ft_feedback_sets *s, const ft_feedback_levels *l, const ft_feedback *f);

#endif
