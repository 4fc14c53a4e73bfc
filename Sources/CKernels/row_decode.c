#pragma STDC FP_CONTRACT OFF
#include "blocks_internal.h"

typedef struct {
    uint16_t elements, bytes;
} geometry;

static geometry geometry_of(ft_type type) {
    switch (type) {
    case FT_BOOL: case FT_U8: case FT_I8:
    case FT_F8_E4M3: case FT_F8_E5M2: case FT_F8_E8M0: case FT_F8_E4M3FNUZ: case FT_F8_E5M2FNUZ:
        return (geometry){1, 1};
    case FT_F16: case FT_BF16: case FT_U16: case FT_I16: return (geometry){1, 2};
    case FT_F32: case FT_U32: case FT_I32: return (geometry){1, 4};
    case FT_F64: case FT_U64: case FT_I64: return (geometry){1, 8};
    case FT_F6_E2M3: case FT_F6_E3M2: return (geometry){4, 3};
    case FT_F4: return (geometry){2, 1};
    case FT_Q4_0: case FT_IQ4_NL: return (geometry){32, 18};
    case FT_Q4_1: return (geometry){32, 20};
    case FT_Q5_0: return (geometry){32, 22};
    case FT_Q5_1: return (geometry){32, 24};
    case FT_Q8_0: return (geometry){32, 34};
    case FT_Q8_1: return (geometry){32, 36};
    case FT_MXFP4: return (geometry){32, 17};
    case FT_NVFP4: return (geometry){64, 36};
    case FT_Q1_0: return (geometry){128, 18};
    case FT_Q2_0: return (geometry){64, 18};
    case FT_Q2_K: return (geometry){256, 84};
    case FT_Q3_K: case FT_IQ3_S: return (geometry){256, 110};
    case FT_Q4_K: return (geometry){256, 144};
    case FT_Q5_K: return (geometry){256, 176};
    case FT_Q6_K: return (geometry){256, 210};
    case FT_Q8_K: return (geometry){256, 292};
    case FT_IQ1_S: return (geometry){256, 50};
    case FT_IQ1_M: return (geometry){256, 56};
    case FT_IQ2_XXS: case FT_TQ2_0: return (geometry){256, 66};
    case FT_IQ2_XS: return (geometry){256, 74};
    case FT_IQ2_S: return (geometry){256, 82};
    case FT_IQ3_XXS: return (geometry){256, 98};
    case FT_IQ4_XS: return (geometry){256, 136};
    case FT_TQ1_0: return (geometry){256, 54};
    }
    return (geometry){0, 0};
}

size_t ft_block_elements(ft_type type) { return geometry_of(type).elements; }

size_t ft_block_bytes(ft_type type) { return geometry_of(type).bytes; }

static ft_decode_blocks scalar_decoder(ft_type type) {
    ft_decode_blocks decode = ft_float_decoder(type);
    if (!decode) decode = ft_small_block_decoder(type);
    if (!decode) decode = ft_k_decoder(type);
    if (!decode) decode = ft_codebook_decoder(type);
    return decode;
}

bool ft_decode_row_with(ft_isa isa, ft_type type, const void *src, float *dst, size_t n) {
    const size_t elements = geometry_of(type).elements;
    if (elements == 0 || n % elements != 0) return false;
    ft_decode_blocks decode = 0;
    if (isa == FT_ISA_AVX2 && ft_isa_supported(FT_ISA_AVX2)) decode = ft_avx2_decoder(type);
    if (!decode) decode = scalar_decoder(type);
    if (!decode) return false;
    decode(src, dst, n / elements);
    return true;
}

bool ft_decode_row(ft_type type, const void *src, float *dst, size_t n) {
    return ft_decode_row_with(FT_ISA_AVX2, type, src, dst, n);
}
