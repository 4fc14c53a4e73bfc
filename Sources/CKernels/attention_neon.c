#if defined(__aarch64__)

#define FT_ATTENTION_TABLE ft_attention_neon
#include "attention_lanes.inc"

#endif
