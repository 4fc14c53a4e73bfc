#ifndef FORETOKEN_WEIGHTS_H
#define FORETOKEN_WEIGHTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "row_codec.h"

// A weight matrix [rows, columns] laid out for the products of matmul.h.
//
// `lanes` neighbouring rows form a panel, so that one vector holds the same four columns of 8 (or 16) rows and the
// rows' scales are vectors too. A panel is a sequence of chunks of 256 columns (the last may be shorter, in whole
// blocks of 32); a chunk is its codes, then its scales:
//
//   codes   for each block of 32 columns its bit planes: low plane, then high plane. A plane of 8, 4, 2 or 1 bits
//           cuts the block into 8 quads of 4 columns; vector v of the plane is 4·lanes bytes, byte 4·lane + i holds
//           column 4·quad + i of that lane's row, for quads v, v + n, v + 2n, … in rising bits, n vectors a plane.
//   scales  "block" types: for each block d[lanes], then for those with a minimum m[lanes]: 16 bits each.
//           "super-block" types: sub-block scales, one byte each, as [pair of sub-blocks][lane][2]; the minima alike;
//           then d[lanes], and for those with minima dmin[lanes]: IEEE half precision.
//
// F32, F16 and BF16 panels are [column][lane] of the elements as they were. Rows past the last are zero.
typedef struct {
    ft_type type;
    size_t lanes;   // rows in a panel: 8 or 16
    size_t rows;    // of the matrix
    size_t columns; // a whole number of blocks of the kind
    const uint8_t *data;
} ft_weights;

enum { FT_CHUNK = 256, FT_BLOCK = 32, FT_MOST_LANES = 16 };

// Whether there are products with panels of the type.
bool ft_can_pack(ft_type type);

// Bytes of one panel of `columns`, a multiple of 64.
size_t ft_panel_bytes(ft_type type, size_t lanes, size_t columns);

// Lays out `row_count` <= lanes rows, `row_bytes` apart, as one panel.
void ft_pack_panel(
    ft_type type, size_t lanes, size_t columns, const uint8_t *source, size_t row_bytes, size_t row_count,
    uint8_t *panel);

// One row of the matrix as floats, columns many: the same bits that ft_decode_row gives for the file's blocks.
void ft_unpack_row(const ft_weights *weights, size_t row, float *values);

#endif
