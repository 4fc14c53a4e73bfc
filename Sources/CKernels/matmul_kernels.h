#ifndef FORETOKEN_MATMUL_KERNELS_H
#define FORETOKEN_MATMUL_KERNELS_H

#include "matmul.h"
#include "weight_layout.h"

// Rows of x first ..< last.
typedef struct {
    size_t first, last;
} ft_rows;

// Outputs of one whole panel for some rows of x: lane l of row r goes to out[(r - rows.first) · lanes + l]. The
// kernels keep their sums there between chunks, so it had better be small and contiguous.
typedef void (*ft_panel_kernel)(
    const ft_weights *weights, const uint8_t *panel, const ft_activations *x, ft_rows rows, float *out);

ft_panel_kernel ft_panel_kernel_scalar(ft_type type);
ft_panel_kernel ft_panel_kernel_avx2(ft_type type);
ft_panel_kernel ft_panel_kernel_avx512vnni(ft_type type);
ft_panel_kernel ft_panel_kernel_neon(ft_type type);
void ft_panel_floats_neon(
    const ft_weights *weights, const uint8_t *panel, const ft_activations *x, ft_rows rows, float *out);

// Quantizes a chunk: 256 values, or the `count` that are left, whole blocks of 32.
void ft_quantize32_scalar(const float *values, size_t count, ft_activations32 *to);
void ft_quantize256_scalar(const float *values, ft_activations256 *to);
void ft_quantize32_avx2(const float *values, size_t count, ft_activations32 *to);
void ft_quantize256_avx2(const float *values, ft_activations256 *to);

// Weights are read once and in order, but the sums between two reads are long enough for the processor's own
// read-ahead to fall asleep: kernels ask for the bytes so far ahead themselves.
enum { FT_AHEAD = 6144, FT_LINE = 64 };

static inline __attribute__((always_inline)) void ft_fetch_ahead(const uint8_t *from, size_t bytes) {
    for (size_t i = 0; i < bytes; i += FT_LINE)
        __builtin_prefetch(from + FT_AHEAD + i, 0, 3);
}

static inline size_t ft_chunk_count(size_t columns) { return (columns + FT_CHUNK - 1) / FT_CHUNK; }

#endif
