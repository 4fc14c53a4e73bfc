#include "instruction_set.h"

#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

bool ft_isa_supported(ft_isa isa) {
    switch (isa) {
    case FT_ISA_SCALAR:
        return true;
    case FT_ISA_AVX2:
#if defined(__x86_64__)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
#else
        return false;
#endif
    case FT_ISA_NEON:
#if defined(__aarch64__) && defined(__linux__)
        return (getauxval(AT_HWCAP) & (1UL << 20)) != 0; // HWCAP_ASIMDDP
#else
        return false;
#endif
    case FT_ISA_AVX512VNNI:
#if defined(__x86_64__)
        return ft_isa_supported(FT_ISA_AVX2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
            && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni");
#else
        return false;
#endif
    }
    return false;
}
