#ifndef FORETOKEN_WEIGHT_ROW_H
#define FORETOKEN_WEIGHT_ROW_H

#include "weight_layout.h"

// Reading a panel one lane at a time: what the scalar kernels and the lookup of a row do.

// The 32 codes of a lane in a block, through the table, without the offset: the integers that the products multiply.
static inline void ft_lane_codes(const ft_traits *t, const uint8_t *block, size_t lanes, size_t lane, int32_t *codes) {
    for (unsigned k = 0; k < FT_BLOCK; k++) {
        unsigned quad = k / 4;
        size_t byte = 4 * lane + k % 4;
        unsigned code = block[quad % t->low_bits * 4 * lanes + byte] >> quad / t->low_bits * t->low_bits;
        code &= (1u << t->low_bits) - 1;
        if (t->high_bits) {
            const uint8_t *high = block + ft_plane_bytes(t->low_bits, lanes);
            unsigned bits = high[quad % t->high_bits * 4 * lanes + byte] >> quad / t->high_bits * t->high_bits;
            code |= (bits & ((1u << t->high_bits) - 1)) << t->low_bits;
        }
        codes[k] = t->low_bits == 8 ? (int8_t)(code ^ ft_signed_code_mask(lanes)) : t->table ? t->table[code] : (int32_t)code;
    }
}

static inline uint8_t ft_sub_byte(const uint8_t *scales, size_t lanes, size_t lane, size_t sub) {
    return scales[sub / 2 * 2 * lanes + 2 * lane + sub % 2];
}

static inline int32_t ft_sub_scale(const ft_traits *t, const uint8_t *scales, size_t lanes, size_t lane, size_t sub) {
    uint8_t byte = ft_sub_byte(scales, lanes, lane, sub);
    return t->nibble_minimum ? byte & 15 : t->signed_scale ? (int8_t)byte : byte;
}

// `scales` is where the chunk's scales begin, whichever of the two places the minima are in.
static inline int32_t ft_sub_minimum(const ft_traits *t, const uint8_t *scales, size_t lanes, size_t lane, size_t sub) {
    if (t->nibble_minimum)
        return ft_sub_byte(scales, lanes, lane, sub) >> 4;
    return ft_sub_byte(scales + ft_sub_scale_bytes(t, lanes), lanes, lane, sub);
}

#endif
