// The tables that vector.h and attention.h choose from.
#ifndef FORETOKEN_VECTOR_SETS_H
#define FORETOKEN_VECTOR_SETS_H

#include "attention.h"
#include "vector.h"

extern const ft_vector_kernels ft_vector_scalar, ft_vector_avx2, ft_vector_neon;
extern const ft_attention_kernels ft_attention_scalar, ft_attention_avx2, ft_attention_neon;

#endif
