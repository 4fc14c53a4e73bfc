#ifndef FORETOKEN_FEEDBACK_H
#define FORETOKEN_FEEDBACK_H

#include "group_codec.h"
#include "row_encode.h"

// Errors that make up for each other: codes chosen one column after the other so that the error e of a row, seen through
// the second moments H of the inputs, e H e', is least (GPTQ, Frantar et al. 2022). Scales are chosen before, so columns
// may come in any order.
//
// Two forms of H are known:
//
// - H itself, by the upper factor U of its inverse, U'U = H⁻¹: the error of a column, over U's diagonal, is taken from
//   the columns to come. Costs the row's length for each weight.
// - diag(D) + F F' where F has FT_FEEDBACK_RANK columns. With r = F'e of the columns so far, the rest could still be
//   moved by real amounts; what remains then is r'Mr, M = (I + Σ f f' / D)⁻¹ over the columns to come. So column j is
//   least in error at its weight plus r'v, v = M f / (D + f'M f). Costs the rank for each weight.

enum { FT_FEEDBACK_RANK = 32 };

typedef struct {
    const uint32_t *place; // n: where in the order of coding each column comes
    // In the order of coding: U, n × n, or NULL; else f and v, n × FT_FEEDBACK_RANK each.
    const float *upper;
    const float *directions, *answers;
} ft_feedback;

// v of each column from f and D, all in the order of coding; D is positive.
void ft_feedback_answers(const float *directions, const float *rest, size_t n, float *answers);

// Chooses the codes of `rows` rows anew, keeping the scales of their blocks. `w` has rows × n floats. A row's bytes do
// not depend on the other rows or on the instruction set. False when the type is not for writing, n is not whole blocks
// or memory is refused.
bool ft_feedback_rows(
    ft_isa isa, ft_type type, const float *w, size_t rows, size_t n, const ft_feedback *f, void *blocks);

// The same for groups whose scales lie elsewhere.
bool ft_feedback_groups(
    ft_isa isa, const ft_group_format *format, const float *w, size_t rows, size_t n, const ft_feedback *f,
    uint8_t *codes, const float *scales, const float *offsets);

// e H e' for e = a - b, in double precision in a fixed order: |y|² where U'y = e, or e'diag(D)e + |F'e|² with D by column in
// `rest`. `scratch` is n doubles, for U alone.
double ft_feedback_error(
    const float *a, const float *b, size_t n, const ft_feedback *f, const float *rest, double *scratch);

#endif
