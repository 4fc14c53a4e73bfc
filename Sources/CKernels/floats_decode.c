#pragma STDC FP_CONTRACT OFF
#include "blocks_internal.h"

#include <math.h>

// Plain element types to float32. F64 and wide integers round to nearest even.

#define DECODER(name, type, expression)                                                                               \
    static void name(const uint8_t *src, float *dst, size_t n) {                                                       \
        for (size_t i = 0; i < n; i++) {                                                                               \
            type v;                                                                                                    \
            memcpy(&v, src + i * sizeof v, sizeof v);                                                                  \
            dst[i] = (expression);                                                                                     \
        }                                                                                                              \
    }

// A small float with a sign bit, `exponentBits` and `mantissaBits` and no special values.
static inline float small_float(uint32_t v, int exponentBits, int mantissaBits, int bias) {
    const uint32_t mantissa = v & ((1u << mantissaBits) - 1);
    const int exponent = (int)(v >> mantissaBits & ((1u << exponentBits) - 1));
    const float sign = v >> (exponentBits + mantissaBits) & 1 ? -1.0f : 1.0f;
    if (exponent == 0) return sign * ldexpf((float)mantissa, 1 - bias - mantissaBits);
    return sign * ldexpf((float)(mantissa | 1u << mantissaBits), exponent - bias - mantissaBits);
}

static inline float f8_e4m3(uint8_t v) { return (v & 0x7F) == 0x7F ? NAN : small_float(v, 4, 3, 7); }
// E5M2 is a half whose low byte is zero.
static inline float f8_e5m2(uint8_t v) { return ft_float_of_half((uint16_t)(v << 8)); }
static inline float f8_e8m0(uint8_t v) {
    return v == 0xFF ? NAN : ft_float_of_bits(v == 0 ? 0x00400000 : (uint32_t)v << 23);
}
static inline float f8_e4m3fnuz(uint8_t v) { return v == 0x80 ? NAN : small_float(v, 4, 3, 8); }
static inline float f8_e5m2fnuz(uint8_t v) { return v == 0x80 ? NAN : small_float(v, 5, 2, 16); }

DECODER(decode_f32, float, v)
DECODER(decode_f64, double, (float)v)
DECODER(decode_f16, uint16_t, ft_float_of_half(v))
DECODER(decode_bf16, uint16_t, ft_float_of_bits((uint32_t)v << 16))
DECODER(decode_bool, uint8_t, v ? 1.0f : 0.0f)
DECODER(decode_u8, uint8_t, (float)v)
DECODER(decode_u16, uint16_t, (float)v)
DECODER(decode_u32, uint32_t, (float)v)
DECODER(decode_u64, uint64_t, (float)v)
DECODER(decode_i8, int8_t, (float)v)
DECODER(decode_i16, int16_t, (float)v)
DECODER(decode_i32, int32_t, (float)v)
DECODER(decode_i64, int64_t, (float)v)
DECODER(decode_f8_e4m3, uint8_t, f8_e4m3(v))
DECODER(decode_f8_e5m2, uint8_t, f8_e5m2(v))
DECODER(decode_f8_e8m0, uint8_t, f8_e8m0(v))
DECODER(decode_f8_e4m3fnuz, uint8_t, f8_e4m3fnuz(v))
DECODER(decode_f8_e5m2fnuz, uint8_t, f8_e5m2fnuz(v))

// Four elements of six bits in three bytes, lowest bits first.
static void decode_f6(const uint8_t *src, float *dst, size_t blocks, int exponentBits, int mantissaBits, int bias) {
    for (size_t b = 0; b < blocks; b++, src += 3, dst += 4) {
        const uint32_t bits = src[0] | (uint32_t)src[1] << 8 | (uint32_t)src[2] << 16;
        for (int i = 0; i < 4; i++) dst[i] = small_float(bits >> 6 * i & 63, exponentBits, mantissaBits, bias);
    }
}

static void decode_f6_e2m3(const uint8_t *src, float *dst, size_t n) { decode_f6(src, dst, n, 2, 3, 1); }
static void decode_f6_e3m2(const uint8_t *src, float *dst, size_t n) { decode_f6(src, dst, n, 3, 2, 3); }

// E2M1, the low nibble first.
static void decode_f4(const uint8_t *src, float *dst, size_t blocks) {
    for (size_t b = 0; b < blocks; b++, dst += 2) {
        dst[0] = small_float(src[b] & 15, 2, 1, 1);
        dst[1] = small_float(src[b] >> 4, 2, 1, 1);
    }
}

ft_decode_blocks ft_float_decoder(ft_type type) {
    switch ((int)type) {
    case FT_F32: return decode_f32;
    case FT_F64: return decode_f64;
    case FT_F16: return decode_f16;
    case FT_BF16: return decode_bf16;
    case FT_BOOL: return decode_bool;
    case FT_U8: return decode_u8;
    case FT_U16: return decode_u16;
    case FT_U32: return decode_u32;
    case FT_U64: return decode_u64;
    case FT_I8: return decode_i8;
    case FT_I16: return decode_i16;
    case FT_I32: return decode_i32;
    case FT_I64: return decode_i64;
    case FT_F8_E4M3: return decode_f8_e4m3;
    case FT_F8_E5M2: return decode_f8_e5m2;
    case FT_F8_E8M0: return decode_f8_e8m0;
    case FT_F8_E4M3FNUZ: return decode_f8_e4m3fnuz;
    case FT_F8_E5M2FNUZ: return decode_f8_e5m2fnuz;
    case FT_F6_E2M3: return decode_f6_e2m3;
    case FT_F6_E3M2: return decode_f6_e3m2;
    case FT_F4: return decode_f4;
    }
    return 0;
}
