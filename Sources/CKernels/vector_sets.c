#include "vector_sets.h"

// A set without functions of its own uses those of the plainer set that it extends.
const ft_vector_kernels *ft_vector_kernels_for(ft_isa isa) {
#if defined(__x86_64__)
    if (isa != FT_ISA_SCALAR) return &ft_vector_avx2;
#elif defined(__aarch64__)
    if (isa != FT_ISA_SCALAR) return &ft_vector_neon;
#endif
    (void)isa;
    return &ft_vector_scalar;
}

const ft_attention_kernels *ft_attention_kernels_for(ft_isa isa) {
#if defined(__x86_64__)
    if (isa != FT_ISA_SCALAR) return &ft_attention_avx2;
#elif defined(__aarch64__)
    if (isa != FT_ISA_SCALAR) return &ft_attention_neon;
#endif
    (void)isa;
    return &ft_attention_scalar;
}
