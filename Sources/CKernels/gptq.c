#pragma STDC FP_CONTRACT OFF
#include "gptq.h"

#include <math.h>
#include <string.h>

enum { OUTER = 256 };

// Code and value of the level nearest to v in scale · level + offset. Uniform levels are consecutive integers.
static inline int nearest_code(const ft_block_grid *g, bool uniform, float v, float scale, float offset, float *value) {
    int best = 0;
    if (uniform) {
        if (scale != 0) {
            const float position = (v - offset) / scale - g->levels[0];
            const float most = (float)(g->count - 1);
            best = (int)rintf(position < 0 ? 0 : position > most ? most : position);
        } else {
            best = (int)-g->levels[0];
        }
    } else {
        float least = INFINITY;
        for (int c = 0; c < g->count; c++) {
            const float error = fabsf(scale * g->levels[c] + offset - v);
            if (error < least) {
                least = error;
                best = c;
            }
        }
    }
    *value = scale * g->levels[best] + offset;
    return best;
}

// One block of one row: codes, column by column, with the scales that `block` has; errors over u's diagonal go to e and
// are taken from the columns up to `end`.
static void spread_block(
    ft_type type, uint8_t *block, int elements, float *w, size_t at, size_t end, size_t n, const float *u, float *e) {
    ft_block_grid grid;
    ft_block_fields fields;
    ft_grid_of_block(type, block, &grid);
    ft_unpack_block(type, block, &fields);
    const bool uniform = type != FT_IQ4_NL && type != FT_IQ4_XS && type != FT_MXFP4;
    for (int j = 0; j < elements; j++) {
        const size_t column = at + (size_t)j;
        const float *factors = u + column * n;
        float value;
        fields.codes[j] = (uint8_t)nearest_code(&grid, uniform, w[column], grid.scale[j], grid.offset[j], &value);
        const float error = (w[column] - value) / factors[column];
        e[j] = error;
        for (size_t k = column + 1; k < end; k++) w[k] -= error * factors[k];
    }
    ft_pack_block(type, &fields, block);
}

bool ft_gptq_rows(
    ft_type type, float *w, size_t rows, size_t n, const float *u, const float *weights, void *dst, float *scratch) {
    const size_t elements = ft_block_elements(type), bytes = ft_block_bytes(type);
    if (elements < 2 || n % elements != 0 || !ft_can_encode(type, FT_SEARCH)) return false;
    const size_t rowBytes = n / elements * bytes;
    uint8_t *out = dst, packed[8 * 40];
    float gathered[8 * 32], repeated[8 * 32];
    for (size_t outer = 0; outer < n; outer += OUTER) {
        const size_t end = n - outer < OUTER ? n : outer + OUTER;
        for (size_t at = outer; at < end; at += elements) {
            if (elements == 32) {
                for (int i = 0; i < 8; i++) memcpy(repeated + 32 * i, weights + at, 32 * sizeof(float));
            }
            for (size_t first = 0; first < rows; first += 8) {
                const size_t count = rows - first < 8 ? rows - first : 8;
                if (elements == 32) {
                    // Eight rows' blocks are searched together, as neighbours of one row would be.
                    memset(gathered, 0, sizeof gathered);
                    for (size_t i = 0; i < count; i++) {
                        memcpy(gathered + 32 * i, w + (first + i) * n + at, 32 * sizeof(float));
                    }
                    ft_encode_rows(type, FT_SEARCH, gathered, repeated, packed, 1, 8 * 32);
                }
                for (size_t i = 0; i < count; i++) {
                    float *row = w + (first + i) * n;
                    uint8_t *block = out + (first + i) * rowBytes + at / elements * bytes;
                    if (elements == 32) memcpy(block, packed + i * bytes, bytes);
                    else ft_encode_rows(type, FT_SEARCH, row + at, weights + at, block, 1, elements);
                    spread_block(
                        type, block, (int)elements, row, at, end, n, u, scratch + (first + i) * OUTER + (at - outer));
                }
            }
        }
        if (end < n) {
            ft_subtract_product(w + end, n, scratch, u + outer * n + end, n, rows, n - end, end - outer);
        }
    }
    return true;
}
