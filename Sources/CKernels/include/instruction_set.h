#ifndef FORETOKEN_INSTRUCTION_SET_H
#define FORETOKEN_INSTRUCTION_SET_H

#include <stdbool.h>

// Instruction sets a kernel may be written for. Each is complete: a kernel missing from one falls back to the next
// plainer one. All of them give the same bits for the products of matmul.h.
typedef enum {
    FT_ISA_SCALAR = 0,
    FT_ISA_AVX2 = 1,       // with FMA and F16C
    FT_ISA_NEON = 2,       // with dot product
    FT_ISA_AVX512VNNI = 3, // AVX-512 F, BW, VL and VNNI; whatever has no kernel of its own runs as AVX2
} ft_isa;

// Whether this processor can run kernels of the set.
bool ft_isa_supported(ft_isa isa);

#endif
