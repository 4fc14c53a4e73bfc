#ifndef FORETOKEN_MATMUL_H
#define FORETOKEN_MATMUL_H

#include "instruction_set.h"
#include "weights.h"
#include "worker_pool.h"

// Products of weight matrices with rows of activations: out[r][o] = sum over k of weights[o][k] · x[r][k].
//
// One row, one result: an output is computed by the same operations in the same order whatever the number of rows,
// the row's place, the number of threads, the panel's place or the instruction set. With
//
//   F32, F16, BF16   four sums s[k mod 4] = fma(w[k], x[k], s[k mod 4]) in rising k, from 0 anew for every 256
//                    columns, then acc = acc + ((s[0] + s[1]) + (s[2] + s[3]));
//   block types      x in blocks of 32: 8-bit q and scale dx. For each block acc = fma(float(Σ q·(code - offset)),
//                    d·dx, acc), and for types with a minimum acc = fma(m, dx·Σq, acc);
//   super-blocks     x in blocks of 256. The integer Σ scale·q·(code - offset) over the whole super-block, then
//                    acc = fma(float(sum), d·dx, acc); with minima then acc = fma(-float(Σ minimum·q), dmin·dx, acc).

// 256 activations in 8 blocks of 32, each with its scale.
typedef struct {
    int8_t q[FT_CHUNK];
    float scale[8];
    float scaled_sum[8]; // scale · sum
    int32_t sum[8];
    int32_t minus_eight_sums[8]; // -8 · sum, where products with Q4_0 start
} ft_activations32;

// 256 activations with one scale.
typedef struct {
    int8_t q[FT_CHUNK];
    int16_t sum16[16]; // sums of 16 and of 32 neighbours
    int16_t sum32[8];
    float scale;
    int32_t sum; // of all
    int32_t unused[2];
} ft_activations256;

// What form of the activations a kernel reads; bits, so that a set can be stated.
typedef enum {
    FT_FORM_FLOAT = 1,
    FT_FORM_32 = 2,
    FT_FORM_256 = 4,
} ft_form;

// Rows of activations in every form that has been prepared. The quantized forms are ordered [chunk of 256][row].
typedef struct {
    size_t rows, columns;
    const float *values; // row r begins at values[r · stride]
    size_t stride;
    ft_activations32 *blocks32;
    ft_activations256 *blocks256;
} ft_activations;

// The form that products with the weights read.
ft_form ft_product_form(const ft_weights *weights);

// Panel width that the kernels of an instruction set want for a type.
size_t ft_product_lanes(ft_isa isa, ft_type type);

// Fills one quantized form of rows first ..< last. A block with a NaN or an infinity gets the scale NaN.
void ft_prepare_activations(ft_isa isa, ft_form form, const ft_activations *x, size_t first, size_t last);

typedef struct {
    ft_weights weights;
    const ft_activations *x;
    float *out; // element (r, o) at out[r · stride + o]
    size_t stride;
} ft_product;

// All outputs of several products in one parallel region; the forms must have been prepared.
void ft_product_run(ft_isa isa, ft_pool *pool, const ft_product *products, size_t count);

// Outputs of chosen weight rows only: out[r · stride + i] is that of row ids[i]; ids are below weights.rows.
void ft_product_chosen(ft_isa isa, ft_pool *pool, const ft_product *product, const uint32_t *ids, size_t id_count);

#endif
