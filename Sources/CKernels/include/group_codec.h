#ifndef FORETOKEN_GROUP_CODEC_H
#define FORETOKEN_GROUP_CODEC_H

#include "row_encode.h"

// Groups of a row's columns that share a scale which is stored apart from their codes, as the Hub's quantized layouts
// do (formats/quantized-safetensors.md).
typedef enum {
    FT_GROUP_AFFINE = 0,     // scale · q + offset
    FT_GROUP_ZERO_POINT = 1, // scale · (q − offset), the offset a code
    FT_GROUP_SYMMETRIC = 2,  // scale · (q − 2^(bits − 1)); no offset
} ft_group_kind;

typedef struct {
    ft_group_kind kind;
    int bits;           // 4 or 8; codes are 0…2^bits − 1
    size_t group;       // columns that share a scale; a row is whole groups
    ft_type stored;     // what scales and affine offsets are rounded to: FT_F32, FT_F16 or FT_BF16
    bool positive;      // scales may not be negative
} ft_group_format;

// Encodes `rows` rows of n finite floats. Codes go to `codes` as each row's stream of n · bits / 8 bytes, the lowest
// bits first; `scales` and `offsets` have room for rows · n / group values, which the stored type holds exactly.
// `importance` (n values, none negative, or NULL) weighs columns when the method searches. FT_NEAREST is the rule of
// the layout's own library, bit for bit: MLX's for affine, GPTQ's for zero points, compressed-tensors' for symmetric.
// A row's result depends on that row alone. False when the format cannot be or memory is refused.
bool ft_encode_groups(
    const ft_group_format *format, ft_method method, const float *src, const float *importance, size_t rows, size_t n,
    uint8_t *codes, float *scales, float *offsets);

// The same with the instruction set chosen by the caller, for tests.
bool ft_encode_groups_with(
    ft_isa isa, const ft_group_format *format, ft_method method, const float *src, const float *importance, size_t rows,
    size_t n, uint8_t *codes, float *scales, float *offsets);

// Values of rows encoded so.
void ft_decode_groups(
    const ft_group_format *format, const uint8_t *codes, const float *scales, const float *offsets, size_t rows,
    size_t n, float *values);

#endif
