#include "matmul_kernels.h"

static void prepare_chunk(
    bool avx2, ft_form form, const float *values, size_t count, const ft_activations *x, size_t at) {
#if defined(__x86_64__)
    if (avx2) {
        if (form & FT_FORM_32)
            ft_quantize32_avx2(values, count, &x->blocks32[at]);
        if (form & FT_FORM_256)
            ft_quantize256_avx2(values, &x->blocks256[at]);
        return;
    }
#endif
    (void)avx2;
    if (form & FT_FORM_32)
        ft_quantize32_scalar(values, count, &x->blocks32[at]);
    if (form & FT_FORM_256)
        ft_quantize256_scalar(values, &x->blocks256[at]);
}

void ft_prepare_activations(ft_isa isa, ft_form form, const ft_activations *x, size_t first, size_t last) {
    bool avx2 = isa == FT_ISA_AVX2 || isa == FT_ISA_AVX512VNNI;
    for (size_t r = first; r < last; r++)
        for (size_t c = 0; c * FT_CHUNK < x->columns; c++) {
            size_t count = ft_min_size(FT_CHUNK, x->columns - c * FT_CHUNK);
            prepare_chunk(avx2, form, x->values + r * x->stride + c * FT_CHUNK, count, x, c * x->rows + r);
        }
}
