#pragma STDC FP_CONTRACT OFF
#include "blocks_internal.h"
#include "row_encode.h"

// Bytes of the blocks that we write, and their fields. Layouts: formats/ggml-blocks.md.

static void put_nibbles(const uint8_t *codes, uint8_t *bytes) {
    uint8_t packed[16]; // apart from the codes, so that all are packed at once
    for (int j = 0; j < 16; j++) packed[j] = (uint8_t)((codes[j] & 15) | codes[j + 16] << 4);
    memcpy(bytes, packed, sizeof packed);
}

static void get_nibbles(const uint8_t *bytes, uint8_t *codes) {
    for (int j = 0; j < 16; j++) {
        codes[j] = bytes[j] & 15;
        codes[j + 16] = bytes[j] >> 4;
    }
}

static uint32_t fifth_bits(const uint8_t *codes) {
    uint32_t high = 0;
    for (int j = 0; j < 32; j++) high |= (uint32_t)(codes[j] >> 4 & 1) << j;
    return high;
}

// The twelve bytes of eight six-bit scales and minimums.
static void put_k4_scales(const ft_block_fields *f, uint8_t *bytes) {
    memset(bytes, 0, 12);
    for (int j = 0; j < 8; j++) {
        const uint8_t scale = (uint8_t)f->scales[j], minimum = f->minimums[j];
        if (j < 4) {
            bytes[j] |= scale;
            bytes[j + 4] |= minimum;
        } else {
            bytes[j + 4] = (uint8_t)((scale & 15) | minimum << 4);
            bytes[j - 4] |= (uint8_t)(scale >> 4 << 6);
            bytes[j] |= (uint8_t)(minimum >> 4 << 6);
        }
    }
}

// Offset, shift and stride of sixteen two-bit codes of sub-block s in Q2_K, Q3_K and the high bits of Q6_K.
static inline int two_bit_offset(int s) { return s / 8 * 32 + s % 2 * 16; }
static inline int two_bit_shift(int s) { return s / 2 % 4 * 2; }

bool ft_pack_block(ft_type type, const ft_block_fields *f, uint8_t *block) {
    switch ((int)type) {
    case FT_Q4_0:
    case FT_IQ4_NL:
        ft_store_half(block, f->d);
        put_nibbles(f->codes, block + 2);
        return true;
    case FT_Q4_1:
        ft_store_half(block, f->d);
        ft_store_half(block + 2, f->dmin);
        put_nibbles(f->codes, block + 4);
        return true;
    case FT_Q5_0:
    case FT_Q5_1: {
        uint8_t *at = block + 2;
        const uint32_t high = fifth_bits(f->codes);
        ft_store_half(block, f->d);
        if (type == FT_Q5_1) {
            ft_store_half(at, f->dmin);
            at += 2;
        }
        memcpy(at, &high, 4);
        put_nibbles(f->codes, at + 4);
        return true;
    }
    case FT_Q8_0: {
        ft_store_half(block, f->d);
        uint8_t packed[32];
        for (int j = 0; j < 32; j++) packed[j] = (uint8_t)(f->codes[j] ^ 128);
        memcpy(block + 2, packed, sizeof packed);
        return true;
    }
    case FT_MXFP4:
        block[0] = (uint8_t)f->d;
        put_nibbles(f->codes, block + 1);
        return true;
    case FT_Q2_K:
        memset(block + 16, 0, 64);
        for (int s = 0; s < 16; s++) {
            block[s] = (uint8_t)((f->scales[s] & 15) | f->minimums[s] << 4);
            for (int j = 0; j < 16; j++) {
                block[16 + two_bit_offset(s) + j] |= (uint8_t)(f->codes[16 * s + j] << two_bit_shift(s));
            }
        }
        ft_store_half(block + 80, f->d);
        ft_store_half(block + 82, f->dmin);
        return true;
    case FT_Q3_K:
        memset(block, 0, 110);
        for (int s = 0; s < 16; s++) {
            const uint8_t scale = (uint8_t)(f->scales[s] + 32);
            block[96 + s % 8] |= (uint8_t)((scale & 15) << s / 8 * 4);
            block[104 + s % 4] |= (uint8_t)(scale >> 4 << s / 4 * 2);
            for (int j = 0; j < 16; j++) {
                const uint8_t code = f->codes[16 * s + j];
                block[s % 2 * 16 + j] |= (uint8_t)((code >> 2) << s / 2);
                block[32 + two_bit_offset(s) + j] |= (uint8_t)((code & 3) << two_bit_shift(s));
            }
        }
        ft_store_half(block + 108, f->d);
        return true;
    case FT_Q4_K:
    case FT_Q5_K: {
        uint8_t *low = block + (type == FT_Q5_K ? 48 : 16);
        ft_store_half(block, f->d);
        ft_store_half(block + 2, f->dmin);
        put_k4_scales(f, block + 4);
        for (int p = 0; p < 4; p++) {
            const uint8_t *codes = f->codes + 64 * p;
            for (int j = 0; j < 32; j++) low[32 * p + j] = (uint8_t)((codes[j] & 15) | codes[j + 32] << 4);
        }
        if (type == FT_Q5_K) {
            for (int j = 0; j < 32; j++) {
                uint8_t high = 0;
                for (int s = 0; s < 8; s++) high |= (uint8_t)((f->codes[32 * s + j] >> 4) << s);
                block[16 + j] = high;
            }
        }
        return true;
    }
    case FT_Q6_K:
        memset(block, 0, 192);
        for (int s = 0; s < 16; s++) {
            uint8_t *low = block + s / 8 * 64 + s % 4 * 16, *high = block + 128 + two_bit_offset(s);
            for (int j = 0; j < 16; j++) {
                const uint8_t code = f->codes[16 * s + j];
                low[j] |= (uint8_t)((code & 15) << s / 4 % 2 * 4);
                high[j] |= (uint8_t)(code >> 4 << two_bit_shift(s));
            }
            block[192 + s] = (uint8_t)f->scales[s];
        }
        ft_store_half(block + 208, f->d);
        return true;
    case FT_IQ4_XS: {
        uint16_t high = 0;
        ft_store_half(block, f->d);
        for (int s = 0; s < 8; s++) {
            const uint8_t scale = (uint8_t)(f->scales[s] + 32);
            high |= (uint16_t)((scale >> 4) << 2 * s);
            if (s % 2 == 0) block[4 + s / 2] = scale & 15;
            else block[4 + s / 2] |= (uint8_t)(scale << 4);
            put_nibbles(f->codes + 32 * s, block + 8 + 16 * s);
        }
        memcpy(block + 2, &high, 2);
        return true;
    }
    }
    return false;
}

bool ft_unpack_block(ft_type type, const uint8_t *block, ft_block_fields *f) {
    memset(f, 0, sizeof *f);
    switch ((int)type) {
    case FT_Q4_0:
    case FT_IQ4_NL:
        f->d = ft_load_u16(block);
        get_nibbles(block + 2, f->codes);
        return true;
    case FT_Q4_1:
        f->d = ft_load_u16(block);
        f->dmin = ft_load_u16(block + 2);
        get_nibbles(block + 4, f->codes);
        return true;
    case FT_Q5_0:
    case FT_Q5_1: {
        const uint8_t *at = block + 2;
        f->d = ft_load_u16(block);
        if (type == FT_Q5_1) {
            f->dmin = ft_load_u16(at);
            at += 2;
        }
        const uint32_t high = ft_load_u32(at);
        get_nibbles(at + 4, f->codes);
        for (int j = 0; j < 32; j++) f->codes[j] |= (uint8_t)((high >> j & 1) << 4);
        return true;
    }
    case FT_Q8_0:
        f->d = ft_load_u16(block);
        for (int j = 0; j < 32; j++) f->codes[j] = (uint8_t)(block[2 + j] + 128);
        return true;
    case FT_MXFP4:
        f->d = block[0];
        get_nibbles(block + 1, f->codes);
        return true;
    case FT_Q2_K:
        for (int s = 0; s < 16; s++) {
            f->scales[s] = block[s] & 15;
            f->minimums[s] = block[s] >> 4;
            for (int j = 0; j < 16; j++) {
                f->codes[16 * s + j] = block[16 + two_bit_offset(s) + j] >> two_bit_shift(s) & 3;
            }
        }
        f->d = ft_load_u16(block + 80);
        f->dmin = ft_load_u16(block + 82);
        return true;
    case FT_Q3_K:
        for (int s = 0; s < 16; s++) {
            const int low = block[96 + s % 8] >> s / 8 * 4 & 15, high = block[104 + s % 4] >> s / 4 * 2 & 3;
            f->scales[s] = (int8_t)((low | high << 4) - 32);
            for (int j = 0; j < 16; j++) {
                const int bits = block[32 + two_bit_offset(s) + j] >> two_bit_shift(s) & 3;
                f->codes[16 * s + j] = (uint8_t)(bits | (block[s % 2 * 16 + j] >> s / 2 & 1) << 2);
            }
        }
        f->d = ft_load_u16(block + 108);
        return true;
    case FT_Q4_K:
    case FT_Q5_K:
        f->d = ft_load_u16(block);
        f->dmin = ft_load_u16(block + 2);
        for (int s = 0; s < 8; s++) {
            uint8_t scale;
            ft_k4_scale_min(block + 4, s, &scale, &f->minimums[s]);
            f->scales[s] = (int8_t)scale;
            const uint8_t *low = block + (type == FT_Q5_K ? 48 : 16) + s / 2 * 32;
            for (int j = 0; j < 32; j++) {
                const int fifth = type == FT_Q5_K ? (block[16 + j] >> s & 1) << 4 : 0;
                f->codes[32 * s + j] = (uint8_t)((low[j] >> s % 2 * 4 & 15) | fifth);
            }
        }
        return true;
    case FT_Q6_K:
        for (int s = 0; s < 16; s++) {
            const uint8_t *low = block + s / 8 * 64 + s % 4 * 16, *high = block + 128 + two_bit_offset(s);
            for (int j = 0; j < 16; j++) {
                const int top = high[j] >> two_bit_shift(s) & 3;
                f->codes[16 * s + j] = (uint8_t)((low[j] >> s / 4 % 2 * 4 & 15) | top << 4);
            }
            f->scales[s] = (int8_t)block[192 + s];
        }
        f->d = ft_load_u16(block + 208);
        return true;
    case FT_IQ4_XS: {
        const uint16_t high = ft_load_u16(block + 2);
        f->d = ft_load_u16(block);
        for (int s = 0; s < 8; s++) {
            const int scale = (block[4 + s / 2] >> s % 2 * 4 & 15) | (high >> 2 * s & 3) << 4;
            f->scales[s] = (int8_t)(scale - 32);
            get_nibbles(block + 8 + 16 * s, f->codes + 32 * s);
        }
        return true;
    }
    }
    return false;
}

int ft_block_levels(ft_type type, float *levels) {
    int bits = 4, zero = 0;
    switch ((int)type) {
    case FT_Q4_0: zero = 8; break;
    case FT_Q5_0: bits = 5, zero = 16; break;
    case FT_Q5_1: case FT_Q5_K: bits = 5; break;
    case FT_Q8_0: bits = 8, zero = 128; break;
    case FT_Q2_K: bits = 2; break;
    case FT_Q3_K: bits = 3, zero = 4; break;
    case FT_Q6_K: bits = 6, zero = 32; break;
    }
    for (int c = 0; c < 1 << bits; c++) {
        if (type == FT_IQ4_NL || type == FT_IQ4_XS) levels[c] = ft_iq4_levels[c];
        else if (type == FT_MXFP4) levels[c] = ft_e2m1_doubled[c];
        else levels[c] = (float)(c - zero);
    }
    return 1 << bits;
}

size_t ft_block_share(ft_type type) {
    return ft_block_elements(type) == 32 || type == FT_Q4_K || type == FT_Q5_K || type == FT_IQ4_XS ? 32 : 16;
}

bool ft_grid_of_block(ft_type type, const uint8_t *block, ft_block_grid *grid) {
    ft_block_fields f;
    if (!ft_unpack_block(type, block, &f)) return false;
    const size_t elements = ft_block_elements(type);
    const float d = type == FT_MXFP4 ? ft_half_of_e8m0((uint8_t)f.d) : ft_float_of_half(f.d);
    const float dmin = ft_float_of_half(f.dmin);
    for (size_t i = 0; i < elements / ft_block_share(type); i++) {
        grid->scale[i] = elements == 256 ? d * (float)f.scales[i] : d;
        grid->offset[i] = elements == 256 ? -(dmin * (float)f.minimums[i])
            : type == FT_Q4_1 || type == FT_Q5_1 ? dmin
                                                 : 0;
    }
    return true;
}
