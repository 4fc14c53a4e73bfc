#include "matmul_kernels.h"

static void widen(const int8_t *q, int16_t *wide) {
    for (int i = 0; i < FT_CHUNK; i += 4) {
        wide[i] = q[i];
        wide[i + 1] = q[i + 2];
        wide[i + 2] = q[i + 1];
        wide[i + 3] = q[i + 3];
    }
}

void ft_prepare_activations(ft_isa isa, ft_form form, const ft_activations *x, size_t first, size_t last) {
    void (*quantize32)(const float *, size_t, ft_activations32 *) = ft_quantize32_scalar;
    void (*quantize256)(const float *, size_t, ft_activations256 *) = ft_quantize256_scalar;
    (void)isa;
    for (size_t r = first; r < last; r++) {
        const float *row = x->values + r * x->stride;
        for (size_t c = 0; c * FT_CHUNK < x->columns; c++) {
            size_t count = ft_min_size(FT_CHUNK, x->columns - c * FT_CHUNK), at = c * x->rows + r;
            if (form & (FT_FORM_32 | FT_FORM_WIDE_32))
                quantize32(row + c * FT_CHUNK, count, &x->blocks32[at]);
            if (form & (FT_FORM_256 | FT_FORM_WIDE_256))
                quantize256(row + c * FT_CHUNK, count, &x->blocks256[at]);
            if (form & FT_FORM_WIDE_32)
                widen(x->blocks32[at].q, x->wide32 + at * FT_CHUNK);
            if (form & FT_FORM_WIDE_256)
                widen(x->blocks256[at].q, x->wide256 + at * FT_CHUNK);
        }
    }
}
