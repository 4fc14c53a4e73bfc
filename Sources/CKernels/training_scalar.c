// The instruction set that every processor of the architecture has; also NEON's, which aarch64 always has.
#define FT_TRAINING_TABLE ft_training_scalar
#include "training_rows.h"

#if defined(__x86_64__)
extern const ft_training_kernels ft_training_avx2;
#endif

const ft_training_kernels *ft_training_kernels_for(ft_isa isa) {
#if defined(__x86_64__)
    if (isa == FT_ISA_AVX2 && ft_isa_supported(FT_ISA_AVX2)) return &ft_training_avx2;
#endif
    (void)isa;
    return &ft_training_scalar;
}
