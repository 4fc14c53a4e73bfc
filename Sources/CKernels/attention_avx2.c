#if defined(__x86_64__)

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#define FT_ATTENTION_TABLE ft_attention_avx2
#include "attention_lanes.inc"
#pragma clang attribute pop

#endif
