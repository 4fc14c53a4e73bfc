#ifndef FORETOKEN_MATMUL_AVX2_H
#define FORETOKEN_MATMUL_AVX2_H

#if defined(__x86_64__)

#include "matmul_kernels.h"

#include <immintrin.h>

#define FT_AVX2 __attribute__((target("avx2,fma,f16c")))
#define FT_AVX2_INLINE FT_AVX2 __attribute__((always_inline)) static inline

// A chunk of a panel of 8 rows, spread out once for many rows of activations; it stays in the first-level cache.
typedef struct {
    _Alignas(64) uint8_t codes[8 * 8 * 32]; // [block][quad][lane][4]
    float d[8][8];                          // [block][lane]; super-blocks use the first
    float m[8][8];
    int16_t scales[16][8][2]; // [sub-block][lane], twice
    int16_t minima[8][8][2];  // [pair of sub-blocks][lane][2]
} ft_spread_avx2;

// A chunk as the panel holds it, and spread out if it is.
typedef struct {
    const uint8_t *codes, *scales;
    __m256i table;                // of types that have one
    const ft_spread_avx2 *spread; // or NULL
} ft_chunk_avx2;

// What the kernels must know of a type when they are compiled.
typedef struct {
    ft_type type;
    int low, high;     // bits of the planes
    int bits;          // of the codes that are multiplied: at most 4, 5, 6 or 8
    bool is_signed;    // or unsigned
    bool table;        // codes go through the type's table
    int offset;
    bool is_super, has_minimum;
    int sub_block;
    bool signed_scale, nibble_minimum;
} ft_shape;

void ft_panel_floats_avx2(
    const ft_weights *weights, const uint8_t *panel, const ft_activations *x, ft_rows rows, float *out);

#endif
#endif
