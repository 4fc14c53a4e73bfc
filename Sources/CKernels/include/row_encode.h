#ifndef FORETOKEN_ROW_ENCODE_H
#define FORETOKEN_ROW_ENCODE_H

#include "row_codec.h"

// Blocks that hold their own scales; groups whose scales lie elsewhere are in group_codec.h.

// How the codes and scales of a block are chosen.
typedef enum {
    FT_NEAREST = 0, // the reference rule: scale from the largest element, every element to its nearest code
    FT_SEARCH = 1,  // scales (and minimums) that minimise the weighted squared error, by search and least squares
} ft_method;

// What a block of one of the types that we write consists of, unpacked. Codes are as stored (not negative); scales and
// minimums are those of sub-blocks. Fields that a type lacks are 0.
typedef struct {
    uint16_t d, dmin; // halves; E8M0 in d for MXFP4
    int8_t scales[16];
    uint8_t minimums[16];
    uint8_t codes[256];
} ft_block_fields;

// Whether the type can be written at all, and with the method.
bool ft_can_encode(ft_type type, ft_method method);

// Encodes `rows` rows of n finite floats each. `importance` (n values, not negative, or NULL for all equal) weighs the
// squared error of each column when the method searches. Never depends on how rows are divided between calls.
// False when the type or method is not for writing, or n is not whole blocks; dst is then untouched.
bool ft_encode_rows(
    ft_type type, ft_method method, const float *src, const float *importance, void *dst, size_t rows, size_t n);

// The same with the instruction set chosen by the caller, for tests.
bool ft_encode_rows_with(
    ft_isa isa, ft_type type, ft_method method, const float *src, const float *importance, void *dst, size_t rows,
    size_t n);

// Between a block's bytes and its fields. False for types that we do not write.
bool ft_unpack_block(ft_type type, const uint8_t *block, ft_block_fields *fields);
bool ft_pack_block(ft_type type, const ft_block_fields *fields, uint8_t *block);

// Elements that share a scale and an offset: a block, or a part of one.
size_t ft_block_share(ft_type type);

// The values that a block's codes can stand for: an element of share i decodes to scale[i] · level + offset[i], with the
// level that ft_block_levels gives the code.
typedef struct {
    float scale[16], offset[16];
} ft_block_grid;

bool ft_grid_of_block(ft_type type, const uint8_t *block, ft_block_grid *grid);

// The levels of the codes of a type that we write, at most 256; how many there are.
int ft_block_levels(ft_type type, float *levels);

// The sum over a row of importance · (a - b)², and of importance · a², added in double precision in a fixed order.
// importance NULL: all 1.
typedef struct {
    double error, energy;
} ft_row_error;

ft_row_error ft_weighted_error(const float *a, const float *b, const float *importance, size_t n);

// Index of the first value that is NaN or infinite, or n.
size_t ft_first_nonfinite(const float *values, size_t n);

#endif
