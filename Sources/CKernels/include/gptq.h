#ifndef FORETOKEN_GPTQ_H
#define FORETOKEN_GPTQ_H

#include "row_encode.h"

// Quantizes rows one column after another, each column's error spread over the columns that follow so that the
// matrix's output changes least (GPTQ, Frantar et al. 2022). Scales come from the search, on the weights as the errors
// before them left them.
//
// `u` is the upper triangular factor, u' u = H⁻¹, of the inverse Hessian of the columns (n × n, row-major); `weights`
// (n) weigh the columns when scales are searched. `w` (rows × n) is used up. `scratch` has room for rows × 256 floats.
// A row's bytes do not depend on the other rows. False when the type is not for writing or n is not whole blocks.
bool ft_gptq_rows(
    ft_type type, float *w, size_t rows, size_t n, const float *u, const float *weights, void *dst, float *scratch);

// w (rows × columns, `stride` apart) -= e (rows × depth, 256 apart) · u (depth × columns, `uStride` apart), every
// element summed in the order of depth.
void ft_subtract_product(
    float *w, size_t stride, const float *e, const float *u, size_t uStride, size_t rows, size_t columns, size_t depth);

// Adds x' x of `rows` rows of n values, `stride` apart, to the upper triangle of h (n × n, whole runs of eight).
void ft_add_gram(float *h, const float *x, size_t rows, size_t n, size_t stride);

#endif
