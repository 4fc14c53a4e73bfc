#ifndef FORETOKEN_MOMENTS_H
#define FORETOKEN_MOMENTS_H

#include <stddef.h>

// Second moments of inputs. Sums have one order, whatever the instruction set.

// Adds x' x of `rows` rows of n values, `stride` apart, to the upper triangle of h (n × n, whole runs of eight).
void ft_add_gram(float *h, const float *x, size_t rows, size_t n, size_t stride);

enum { FT_SKETCH_WIDTH = 64 };

// seen = x signs, for `rows` rows of n values; signs are n × FT_SKETCH_WIDTH, seen rows × FT_SKETCH_WIDTH.
void ft_sketch_rows(const float *x, size_t rows, size_t n, const float *signs, float *seen);

// sketch += x' seen for the columns from…end, sketch being n × FT_SKETCH_WIDTH. Sums go in the order of rows, in runs of
// 64 rows.
void ft_sketch_columns(
    float *sketch, const float *x, size_t rows, size_t n, const float *seen, size_t from, size_t end);

#endif
