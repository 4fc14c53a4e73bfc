#if defined(__aarch64__)

#define FT_VECTOR_TABLE ft_vector_neon
#include "vector_lanes.inc"

#endif
