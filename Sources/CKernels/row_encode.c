#pragma STDC FP_CONTRACT OFF
#include "encode_internal.h"

#include <stdlib.h>

bool ft_can_encode(ft_type type, ft_method method) {
    switch ((int)type) {
    case FT_F32: case FT_F16: case FT_BF16:
    case FT_Q8_0: case FT_Q4_0: case FT_Q4_1: case FT_Q5_0: case FT_Q5_1: case FT_MXFP4:
        return true;
    case FT_Q2_K: case FT_Q3_K: case FT_Q4_K: case FT_Q5_K: case FT_Q6_K: case FT_IQ4_NL: case FT_IQ4_XS:
        return method == FT_SEARCH;
    }
    return false;
}

bool ft_encode_rows_with(
    ft_isa isa, ft_type type, ft_method method, const float *src, const float *importance, void *dst, size_t rows,
    size_t n) {
    const size_t elements = ft_block_elements(type);
    if (!ft_can_encode(type, method) || n % elements != 0) return false;
    const size_t rowBytes = n / elements * ft_block_bytes(type);
    const bool search = method == FT_SEARCH && elements > 1;
    bool fast = false;
#if defined(__x86_64__)
    fast = isa == FT_ISA_AVX2 && ft_isa_supported(FT_ISA_AVX2);
#endif
    uint8_t *out = dst;
    for (size_t r = 0; r < rows; r++, src += n, out += rowBytes) {
#if defined(__x86_64__)
        if (fast && search) {
            ft_search_row_avx2(type, src, importance, out, n);
            continue;
        }
        if (fast && ft_nearest_row_avx2(type, src, out, n)) continue;
#endif
        if (search) ft_search_row_scalar(type, src, importance, out, n);
        else ft_nearest_row_scalar(type, src, out, n);
    }
    (void)fast;
    (void)isa;
    return true;
}

bool ft_encode_rows(
    ft_type type, ft_method method, const float *src, const float *importance, void *dst, size_t rows, size_t n) {
    return ft_encode_rows_with(FT_ISA_AVX2, type, method, src, importance, dst, rows, n);
}

ft_row_error ft_weighted_error(const float *a, const float *b, const float *importance, size_t n) {
    double error[4] = {0}, energy[4] = {0};
    for (size_t i = 0; i < n; i++) {
        const double w = importance ? importance[i] : 1, x = a[i], rest = x - b[i];
        error[i % 4] += w * rest * rest;
        energy[i % 4] += w * x * x;
    }
    return (ft_row_error){(error[0] + error[1]) + (error[2] + error[3]), (energy[0] + energy[1]) + (energy[2] + energy[3])};
}

size_t ft_first_nonfinite(const float *values, size_t n) {
    enum { RUN = 64 };
    for (size_t i = 0; i < n; i += RUN) {
        const size_t end = n - i < RUN ? n : i + RUN;
        // The largest exponent marks both; an or over the run has it only if some mask is all ones.
        uint32_t found = 0;
        for (size_t j = i; j < end; j++) found |= (ft_bits_of_float(values[j]) & 0x7F800000) == 0x7F800000;
        if (!found) continue;
        for (size_t j = i; j < end; j++) {
            if ((ft_bits_of_float(values[j]) & 0x7F800000) == 0x7F800000) return j;
        }
    }
    return n;
}
