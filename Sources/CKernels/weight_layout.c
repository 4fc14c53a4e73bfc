#pragma STDC FP_CONTRACT OFF
#include "weight_layout.h"

// E2M1's doubled levels made unsigned by the offset 12.
static const int8_t unsigned_e2m1[16] = {12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0};

static const ft_traits all_traits[FT_MXFP4 + 1] = {
    [FT_F32] = {.is_float = true, .block_bytes = 4},
    [FT_F16] = {.is_float = true, .block_bytes = 2},
    [FT_BF16] = {.is_float = true, .block_bytes = 2},
    [FT_Q8_0] = {.low_bits = 8, .block_bytes = 34},
    [FT_Q4_0] = {.low_bits = 4, .offset = 8, .block_bytes = 18},
    [FT_Q4_1] = {.low_bits = 4, .has_minimum = true, .block_bytes = 20},
    [FT_Q5_0] = {.low_bits = 4, .high_bits = 1, .offset = 16, .block_bytes = 22},
    [FT_Q5_1] = {.low_bits = 4, .high_bits = 1, .has_minimum = true, .block_bytes = 24},
    [FT_IQ4_NL] = {.low_bits = 4, .table = ft_iq4_levels, .block_bytes = 18},
    [FT_MXFP4] =
        {.low_bits = 4, .table = unsigned_e2m1, .offset = 12, .bfloat_scale = true, .block_bytes = 17},
    [FT_Q2_K] =
        {.low_bits = 2, .is_super = true, .has_minimum = true, .nibble_minimum = true, .sub_block = 16, .block_bytes = 84},
    [FT_Q3_K] =
        {.low_bits = 2, .high_bits = 1, .offset = 4, .is_super = true, .sub_block = 16, .signed_scale = true,
         .block_bytes = 110},
    [FT_Q4_K] =
        {.low_bits = 4, .is_super = true, .has_minimum = true, .sub_block = 32, .block_bytes = 144},
    [FT_Q5_K] =
        {.low_bits = 4, .high_bits = 1, .is_super = true, .has_minimum = true, .sub_block = 32, .block_bytes = 176},
    [FT_Q6_K] =
        {.low_bits = 4, .high_bits = 2, .offset = 32, .is_super = true, .sub_block = 16, .signed_scale = true,
         .block_bytes = 210},
    [FT_IQ4_XS] =
        {.low_bits = 4, .table = ft_iq4_levels, .is_super = true, .sub_block = 32, .signed_scale = true,
         .block_bytes = 136},
};

const ft_traits *ft_traits_of(ft_type type) {
    if ((size_t)type >= sizeof all_traits / sizeof all_traits[0] || all_traits[type].block_bytes == 0)
        return NULL;
    return &all_traits[type];
}

bool ft_can_pack(ft_type type) { return ft_traits_of(type) != NULL; }

size_t ft_panel_bytes(ft_type type, size_t lanes, size_t columns) {
    const ft_traits *t = ft_traits_of(type);
    size_t bytes;
    if (t->is_float) {
        bytes = columns * lanes * t->block_bytes;
    } else {
        size_t blocks = columns / FT_BLOCK, whole = blocks / 8, rest = blocks % 8;
        bytes = whole * ft_chunk_bytes(t, lanes, 8) + (rest ? ft_chunk_bytes(t, lanes, rest) : 0);
    }
    return (bytes + 63) / 64 * 64;
}
