#ifndef FORETOKEN_WEIGHT_LAYOUT_H
#define FORETOKEN_WEIGHT_LAYOUT_H

#include "blocks_internal.h"
#include "weights.h"

// How a weight's value comes from its code: value = scale · (table[code] - offset) - minimum.
typedef struct {
    uint8_t low_bits;     // 8, 4 or 2
    uint8_t high_bits;    // 0, 1 or 2
    uint8_t offset;       // subtracted from codes, which are unsigned in the kernels
    const int8_t *table;  // NULL: the code itself
    bool is_super;        // chunks of 256 with integer sub-block scales
    bool has_minimum;     // a second scale per block or super-block
    uint8_t sub_block;    // elements under one sub-block scale
    bool signed_scale;    // sub-block scales are signed bytes
    bool nibble_minimum;  // the scale byte's high nibble is the minimum
    uint8_t block_bytes;  // in the file
    bool is_float;
    bool bfloat_scale;    // d is the upper half of a float, for powers of two
} ft_traits;

// NULL when there are no products with panels of the type.
const ft_traits *ft_traits_of(ft_type type);

// Bytes of a plain row.
static inline size_t ft_row_bytes(const ft_weights *w) {
    return w->columns / ft_block_elements(w->type) * ft_block_bytes(w->type);
}

static inline size_t ft_min_size(size_t a, size_t b) { return a < b ? a : b; }

// Bytes of a block of 32 columns of one plane.
static inline size_t ft_plane_bytes(unsigned bits, size_t lanes) { return (size_t)bits * 4 * lanes; }

// Signed 8-bit codes are stored as they are in panels of 8, and moved up by 128 in panels of 16.
static inline uint8_t ft_signed_code_mask(size_t lanes) { return lanes == 16 ? 0x80 : 0; }

static inline size_t ft_block_code_bytes(const ft_traits *t, size_t lanes) {
    return ft_plane_bytes(t->low_bits, lanes) + ft_plane_bytes(t->high_bits, lanes);
}

static inline size_t ft_code_bytes(const ft_traits *t, size_t lanes, size_t blocks) {
    return blocks * ft_block_code_bytes(t, lanes);
}

static inline size_t ft_sub_scale_bytes(const ft_traits *t, size_t lanes) { return FT_CHUNK / t->sub_block * lanes; }

static inline size_t ft_scale_bytes(const ft_traits *t, size_t lanes, size_t blocks) {
    size_t halves = t->has_minimum ? 2 : 1;
    if (!t->is_super)
        return blocks * lanes * 2 * halves;
    size_t sub = ft_sub_scale_bytes(t, lanes);
    return sub + (t->has_minimum && !t->nibble_minimum ? sub : 0) + lanes * 2 * halves;
}

static inline size_t ft_chunk_bytes(const ft_traits *t, size_t lanes, size_t blocks) {
    return ft_code_bytes(t, lanes, blocks) + ft_scale_bytes(t, lanes, blocks);
}

// Block scale at p, by the type's encoding.
static inline float ft_read_scale(const ft_traits *t, const uint8_t *p) {
    return t->bfloat_scale ? ft_float_of_bits((uint32_t)ft_load_u16(p) << 16) : ft_load_half(p);
}

#endif
