#ifndef FORETOKEN_MOMENTS_H
#define FORETOKEN_MOMENTS_H

#include <stddef.h>

// Second moments of inputs. Sums have one order, whatever the instruction set.

enum { FT_MOMENT_ROWS = 64, FT_MOMENT_COLUMNS = 16 };

// Panels of FT_MOMENT_COLUMNS columns that n columns take.
static inline size_t ft_moment_panels(size_t n) { return (n + FT_MOMENT_COLUMNS - 1) / FT_MOMENT_COLUMNS; }

// At most FT_MOMENT_ROWS rows of n values by panels, [panel][row][column], zeros where there are fewer.
void ft_pack_moment_rows(const float *x, size_t rows, size_t n, float *packed);

// Adds x' x of packed rows to rows from…end of h (n × n); `from` is a multiple of 4. From each row's diagonal on, what lies
// in its panels; before it, elements of the diagonal's own panel at most.
void ft_add_moments(float *h, const float *packed, size_t n, size_t from, size_t end);

enum { FT_SKETCH_WIDTH = 64 };

// seen = x signs, for `rows` rows of n values; signs are n × FT_SKETCH_WIDTH, seen rows × FT_SKETCH_WIDTH.
void ft_sketch_rows(const float *x, size_t rows, size_t n, const float *signs, float *seen);

// sketch += x' seen for the columns from…end, sketch being n × FT_SKETCH_WIDTH. Sums go in the order of rows, in runs of
// 64 rows.
void ft_sketch_columns(
    float *sketch, const float *x, size_t rows, size_t n, const float *seen, size_t from, size_t end);

#endif
