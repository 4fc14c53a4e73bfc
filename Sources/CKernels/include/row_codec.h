#ifndef FORETOKEN_ROW_CODEC_H
#define FORETOKEN_ROW_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "instruction_set.h"

// Element types by number: ggml's own numbers, and from 256 on the types that only safetensors knows.
// Layouts: formats/ggml-blocks.md, formats/safetensors.md.
typedef enum {
    FT_F32 = 0,
    FT_F16 = 1,
    FT_Q4_0 = 2,
    FT_Q4_1 = 3,
    FT_Q5_0 = 6,
    FT_Q5_1 = 7,
    FT_Q8_0 = 8,
    FT_Q8_1 = 9,
    FT_Q2_K = 10,
    FT_Q3_K = 11,
    FT_Q4_K = 12,
    FT_Q5_K = 13,
    FT_Q6_K = 14,
    FT_Q8_K = 15,
    FT_IQ2_XXS = 16,
    FT_IQ2_XS = 17,
    FT_IQ3_XXS = 18,
    FT_IQ1_S = 19,
    FT_IQ4_NL = 20,
    FT_IQ3_S = 21,
    FT_IQ2_S = 22,
    FT_IQ4_XS = 23,
    FT_I8 = 24,
    FT_I16 = 25,
    FT_I32 = 26,
    FT_I64 = 27,
    FT_F64 = 28,
    FT_IQ1_M = 29,
    FT_BF16 = 30,
    FT_TQ1_0 = 34,
    FT_TQ2_0 = 35,
    FT_MXFP4 = 39,
    FT_NVFP4 = 40,
    FT_Q1_0 = 41,
    FT_Q2_0 = 42,
    FT_BOOL = 256,
    FT_U8,
    FT_U16,
    FT_U32,
    FT_U64,
    FT_F8_E4M3,
    FT_F8_E5M2,
    FT_F8_E8M0,
    FT_F8_E4M3FNUZ,
    FT_F8_E5M2FNUZ,
    FT_F6_E2M3,
    FT_F6_E3M2,
    FT_F4,
} ft_type;

// Elements and bytes of one block; 0 for a number that is no type. Writing is in row_encode.h and gptq.h.
size_t ft_block_elements(ft_type type);
size_t ft_block_bytes(ft_type type);

// Decodes n elements to float32, bit for bit what gguf-py's dequantization gives. n must be whole blocks. `src` may
// have any alignment. False when the type is unknown or n is not whole blocks; dst is then untouched.
bool ft_decode_row(ft_type type, const void *src, float *dst, size_t n);

// The same with the instruction set chosen by the caller, for tests; a set without a kernel for the type, or one that
// this processor lacks, falls back to scalar.
bool ft_decode_row_with(ft_isa isa, ft_type type, const void *src, float *dst, size_t n);

#endif
