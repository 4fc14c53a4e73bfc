// Eight floats at a time in the compiler's own vector type, so that one source serves every instruction set: the
// including file sets the target. Sums go lane by lane and then by one fixed tree.
#ifndef FORETOKEN_LANES_H
#define FORETOKEN_LANES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define FT_INLINE static inline __attribute__((always_inline))

typedef float lanes __attribute__((vector_size(32), aligned(4)));
typedef int32_t int_lanes __attribute__((vector_size(32), aligned(4)));
typedef _Float16 half_lanes __attribute__((vector_size(16), aligned(2)));
typedef int8_t byte_lanes __attribute__((vector_size(8), aligned(1)));

FT_INLINE lanes load(const float *x) { return *(const lanes *)x; }
FT_INLINE void keep(float *x, lanes v) { *(lanes *)x = v; }
FT_INLINE lanes splat(float x) { return (lanes){x, x, x, x, x, x, x, x}; }
FT_INLINE lanes fma_lanes(lanes a, lanes b, lanes c) {
#if defined(__clang__)
    return __builtin_elementwise_fma(a, b, c);
#else
    lanes result;
    for (int i = 0; i < 8; i++) result[i] = __builtin_fmaf(a[i], b[i], c[i]);
    return result;
#endif
}
// a where the mask's lane is all ones, b where it is zero.
FT_INLINE lanes choose(int_lanes mask, lanes a, lanes b) { return (lanes)(((int_lanes)a & mask) | ((int_lanes)b & ~mask)); }
FT_INLINE lanes larger(lanes a, lanes b) { return choose(a > b, a, b); }

// The first n < 8 elements, then zeros.
FT_INLINE lanes load_some(const float *x, size_t n) {
    lanes v = splat(0);
    memcpy(&v, x, n * sizeof(float));
    return v;
}
FT_INLINE void keep_some(float *x, lanes v, size_t n) { memcpy(x, &v, n * sizeof(float)); }

// ((0+1)+(2+3)) + ((4+5)+(6+7))
FT_INLINE float sum_lanes(lanes v) {
    return ((v[0] + v[1]) + (v[2] + v[3])) + ((v[4] + v[5]) + (v[6] + v[7]));
}

FT_INLINE lanes pair_sums(lanes a, lanes b) {
    return __builtin_shufflevector(a, b, 0, 2, 8, 10, 4, 6, 12, 14)
        + __builtin_shufflevector(a, b, 1, 3, 9, 11, 5, 7, 13, 15);
}

// The sums of eight vectors, each by the tree of sum_lanes.
FT_INLINE lanes sum_eight(const lanes v[8]) {
    lanes low = pair_sums(pair_sums(v[0], v[1]), pair_sums(v[2], v[3]));
    lanes high = pair_sums(pair_sums(v[4], v[5]), pair_sums(v[6], v[7]));
    return __builtin_shufflevector(low, high, 0, 1, 2, 3, 8, 9, 10, 11)
        + __builtin_shufflevector(low, high, 4, 5, 6, 7, 12, 13, 14, 15);
}

// e^x, relative error below 2e-7; 0 below -87.3, saturated above 88.3. Range reduction by ln 2 in two parts and the
// minimax polynomial of Cephes' expf.
FT_INLINE lanes exp_lanes(lanes x) {
    lanes bounded = choose(x > 88.3f, splat(88.3f), x);
    bounded = choose(x < -87.3f, splat(-87.3f), bounded);
    lanes n = fma_lanes(bounded, splat(1.44269504f), splat(12582912.0f)) - 12582912.0f; // rounds to nearest
    lanes r = fma_lanes(n, splat(-0.693359375f), bounded);
    r = fma_lanes(n, splat(2.12194440e-4f), r);
    lanes p = splat(1.9875691500e-4f);
    p = fma_lanes(p, r, splat(1.3981999507e-3f));
    p = fma_lanes(p, r, splat(8.3334519073e-3f));
    p = fma_lanes(p, r, splat(4.1665795894e-2f));
    p = fma_lanes(p, r, splat(1.6666665459e-1f));
    p = fma_lanes(p, r, splat(5.0000001201e-1f));
    p = fma_lanes(p, r * r, r) + 1.0f;
    lanes finite = choose(n == n, n, splat(0)); // converting NaN is undefined; p carries it on
    int_lanes power = (__builtin_convertvector(finite, int_lanes) + 127) << 23;
    lanes result = p * (lanes)power;
    return choose(x < -87.3f, splat(0), result);
}

FT_INLINE lanes tanh_lanes(lanes x) { return 1.0f - 2.0f / (exp_lanes(2.0f * x) + 1.0f); }

#endif
