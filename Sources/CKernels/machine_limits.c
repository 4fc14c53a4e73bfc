#include "machine_limits.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

// Several streams at once keep the prefetchers of a core busy.
uint64_t ft_read_memory(const void *memory, size_t bytes) {
    typedef uint64_t words __attribute__((vector_size(64), aligned(8)));
    enum { STREAMS = 4 };
    size_t part = bytes / STREAMS / sizeof(words);
    const words *start = memory;
    words sums[STREAMS];
    memset(sums, 0, sizeof sums);
    for (size_t i = 0; i < part; i++)
        for (size_t s = 0; s < STREAMS; s++) sums[s] += start[s * part + i];
    uint64_t total = 0;
    for (size_t s = 0; s < STREAMS; s++)
        for (size_t i = 0; i < 8; i++) total += sums[s][i];
    return total;
}

#if defined(__x86_64__)

// Unsigned by signed bytes, two products summed in 16 bits, two such sums in 32: the fastest 8-bit path of AVX2.
__attribute__((target("avx2"))) static uint64_t multiply_avx2(uint64_t rounds, int32_t *sink) {
    __m256i sums[8], codes[4], x[2];
    for (int i = 0; i < 8; i++) sums[i] = _mm256_setzero_si256();
    for (int i = 0; i < 4; i++) codes[i] = _mm256_set1_epi8((char)(3 + i));
    for (int i = 0; i < 2; i++) x[i] = _mm256_set1_epi8((char)(5 - i));
    const __m256i ones = _mm256_set1_epi16(1);
    for (uint64_t round = 0; round < rounds; round++) {
        for (int i = 0; i < 8; i++) {
            // Two products of pairs fit in 16 bits before they are widened.
            __m256i a = _mm256_maddubs_epi16(codes[i & 3], x[0]);
            __m256i b = _mm256_maddubs_epi16(codes[(i + 1) & 3], x[1]);
            sums[i] = _mm256_add_epi32(sums[i], _mm256_madd_epi16(_mm256_add_epi16(a, b), ones));
        }
        // Keeps the compiler from seeing that every round is the same.
        __asm__ volatile("" : "+x"(x[0]), "+x"(x[1]), "+x"(codes[0]), "+x"(codes[1]), "+x"(codes[2]), "+x"(codes[3]));
    }
    __m256i total = sums[0];
    for (int i = 1; i < 8; i++) total = _mm256_add_epi32(total, sums[i]);
    *sink = _mm256_extract_epi32(total, 0);
    return rounds * 8 * 64;
}

__attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni"))) static uint64_t multiply_vnni(
    uint64_t rounds, int32_t *sink) {
    __m512i sums[16], codes[4], x[2];
    for (int i = 0; i < 16; i++) sums[i] = _mm512_setzero_si512();
    for (int i = 0; i < 4; i++) codes[i] = _mm512_set1_epi8((char)(3 + i));
    for (int i = 0; i < 2; i++) x[i] = _mm512_set1_epi8((char)(5 - i));
    for (uint64_t round = 0; round < rounds; round++) {
        for (int i = 0; i < 16; i++) sums[i] = _mm512_dpbusd_epi32(sums[i], codes[i & 3], x[i & 1]);
        __asm__ volatile("" : "+v"(x[0]), "+v"(x[1]), "+v"(codes[0]), "+v"(codes[1]));
    }
    __m512i total = sums[0];
    for (int i = 1; i < 16; i++) total = _mm512_add_epi32(total, sums[i]);
    *sink = _mm512_reduce_add_epi32(total);
    return rounds * 16 * 64;
}

#elif defined(__aarch64__)

#if defined(__clang__)
__attribute__((target("dotprod")))
#else
__attribute__((target("arch=armv8.2-a+dotprod")))
#endif
static uint64_t multiply_neon(uint64_t rounds, int32_t *sink) {
    int32x4_t sums[8];
    int8x16_t codes[4], x[2];
    for (int i = 0; i < 8; i++) sums[i] = vdupq_n_s32(0);
    for (int i = 0; i < 4; i++) codes[i] = vdupq_n_s8((int8_t)(3 + i));
    for (int i = 0; i < 2; i++) x[i] = vdupq_n_s8((int8_t)(5 - i));
    for (uint64_t round = 0; round < rounds; round++) {
        for (int i = 0; i < 8; i++) sums[i] = vdotq_s32(sums[i], codes[i & 3], x[i & 1]);
        __asm__ volatile("" : "+w"(x[0]), "+w"(x[1]), "+w"(codes[0]), "+w"(codes[1]));
    }
    int32x4_t total = sums[0];
    for (int i = 1; i < 8; i++) total = vaddq_s32(total, sums[i]);
    *sink = vaddvq_s32(total);
    return rounds * 8 * 16;
}

#endif

static uint64_t multiply_scalar(uint64_t rounds, int32_t *sink) {
    int32_t sums[8] = {0};
    volatile int8_t x = 5;
    for (uint64_t round = 0; round < rounds; round++) {
        int8_t y = x;
        for (int i = 0; i < 8; i++) sums[i] += (int32_t)y * (int32_t)(int8_t)(round + (uint64_t)i);
    }
    for (int i = 1; i < 8; i++) sums[0] += sums[i];
    *sink = sums[0];
    return rounds * 8;
}

uint64_t ft_multiply_bytes(ft_isa isa, uint64_t rounds, int32_t *sink) {
#if defined(__x86_64__)
    if (isa == FT_ISA_AVX2) return multiply_avx2(rounds, sink);
    if (isa == FT_ISA_AVX512VNNI) return multiply_vnni(rounds, sink);
#elif defined(__aarch64__)
    if (isa == FT_ISA_NEON) return multiply_neon(rounds, sink);
#endif
    (void)isa;
    return multiply_scalar(rounds, sink);
}
