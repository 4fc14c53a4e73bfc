#pragma STDC FP_CONTRACT OFF
#include "weight_layout.h"

// What a file's block or super-block holds, spread out: one byte a code, one a sub-block scale.
typedef struct {
    uint8_t codes[FT_CHUNK];
    uint8_t scales[16];
    uint8_t minima[16];
    uint16_t d, m;
} spread;

static void spread_nibbles(const uint8_t *source, uint8_t *codes) {
    for (int i = 0; i < 16; i++) {
        codes[i] = source[i] & 15;
        codes[i + 16] = source[i] >> 4;
    }
}

static void spread_fifth_bits(const uint8_t *source, uint8_t *codes) {
    uint32_t bits;
    memcpy(&bits, source, 4);
    for (int i = 0; i < 32; i++)
        codes[i] |= (bits >> i & 1) << 4;
}

static void spread_block(ft_type type, const uint8_t *b, spread *s) {
    switch (type) {
    case FT_Q8_0:
        s->d = ft_load_u16(b);
        memcpy(s->codes, b + 2, 32);
        break;
    case FT_Q4_0:
    case FT_IQ4_NL:
        s->d = ft_load_u16(b);
        spread_nibbles(b + 2, s->codes);
        break;
    case FT_Q4_1:
        s->d = ft_load_u16(b);
        s->m = ft_load_u16(b + 2);
        spread_nibbles(b + 4, s->codes);
        break;
    case FT_Q5_0:
        s->d = ft_load_u16(b);
        spread_nibbles(b + 6, s->codes);
        spread_fifth_bits(b + 2, s->codes);
        break;
    case FT_Q5_1:
        s->d = ft_load_u16(b);
        s->m = ft_load_u16(b + 2);
        spread_nibbles(b + 8, s->codes);
        spread_fifth_bits(b + 4, s->codes);
        break;
    case FT_MXFP4:
        s->d = (uint16_t)(ft_bits_of_float(ft_half_of_e8m0(b[0])) >> 16);
        spread_nibbles(b + 1, s->codes);
        break;
    default:
        break;
    }
}

static void spread_super_block(ft_type type, const uint8_t *b, spread *s) {
    switch (type) {
    case FT_Q2_K:
        memcpy(s->scales, b, 16);
        for (int i = 0; i < 256; i++)
            s->codes[i] = b[16 + i / 128 * 32 + i % 32] >> 2 * (i % 128 / 32) & 3;
        s->d = ft_load_u16(b + 80);
        s->m = ft_load_u16(b + 82);
        break;
    case FT_Q3_K:
        for (int i = 0; i < 256; i++)
            s->codes[i] = (b[32 + i / 128 * 32 + i % 32] >> 2 * (i % 128 / 32) & 3) | (b[i % 32] >> i / 32 & 1) << 2;
        for (int i = 0; i < 16; i++) {
            int low = i < 8 ? b[96 + i] & 15 : b[96 + i - 8] >> 4, high = b[104 + i % 4] >> 2 * (i / 4) & 3;
            s->scales[i] = (uint8_t)((low | high << 4) - 32);
        }
        s->d = ft_load_u16(b + 108);
        break;
    case FT_Q4_K:
    case FT_Q5_K: {
        s->d = ft_load_u16(b);
        s->m = ft_load_u16(b + 2);
        for (int j = 0; j < 8; j++)
            ft_k4_scale_min(b + 4, j, &s->scales[j], &s->minima[j]);
        const uint8_t *low = type == FT_Q4_K ? b + 16 : b + 48;
        for (int i = 0; i < 256; i++)
            s->codes[i] = low[i / 64 * 32 + i % 32] >> 4 * (i % 64 / 32) & 15;
        if (type == FT_Q5_K)
            for (int i = 0; i < 256; i++)
                s->codes[i] |= (b[16 + i % 32] >> i / 32 & 1) << 4;
        break;
    }
    case FT_Q6_K:
        for (int i = 0; i < 256; i++) {
            int half = i / 128, j = i % 128;
            int low = b[half * 64 + j % 64] >> 4 * (j / 64) & 15, high = b[128 + half * 32 + j % 32] >> 2 * (j / 32) & 3;
            s->codes[i] = (uint8_t)(low | high << 4);
        }
        memcpy(s->scales, b + 192, 16);
        s->d = ft_load_u16(b + 208);
        break;
    case FT_IQ4_XS: {
        s->d = ft_load_u16(b);
        uint16_t high = ft_load_u16(b + 2);
        for (int i = 0; i < 8; i++) {
            int low = b[4 + i / 2] >> 4 * (i % 2) & 15;
            s->scales[i] = (uint8_t)((low | (high >> 2 * i & 3) << 4) - 32);
            spread_nibbles(b + 8 + 16 * i, s->codes + 32 * i);
        }
        break;
    }
    default:
        break;
    }
}

// Puts 32 codes' bits [shift, shift + bits) into a lane of a plane.
static void put_plane(unsigned bits, unsigned shift, const uint8_t *codes, size_t lanes, size_t lane, uint8_t *plane) {
    unsigned vectors = bits, mask = (1u << bits) - 1;
    for (unsigned quad = 0; quad < 8; quad++) {
        uint8_t *at = plane + quad % vectors * 4 * lanes + 4 * lane;
        for (unsigned i = 0; i < 4; i++)
            at[i] |= (codes[4 * quad + i] >> shift & mask) << quad / vectors * bits;
    }
}

static void put_codes(const ft_traits *t, uint8_t *codes, size_t lanes, size_t lane, uint8_t *block) {
    if (t->low_bits == 8)
        for (int i = 0; i < FT_BLOCK; i++)
            codes[i] ^= ft_signed_code_mask(lanes);
    put_plane(t->low_bits, 0, codes, lanes, lane, block);
    if (t->high_bits)
        put_plane(t->high_bits, t->low_bits, codes, lanes, lane, block + ft_plane_bytes(t->low_bits, lanes));
}

static void put16(uint8_t *at, uint16_t value) { memcpy(at, &value, 2); }

static void put_sub_scales(const ft_traits *t, const uint8_t *scales, size_t lanes, size_t lane, uint8_t *at) {
    for (size_t s = 0; s < FT_CHUNK / t->sub_block; s++)
        at[s / 2 * 2 * lanes + 2 * lane + s % 2] = scales[s];
}

static void pack_float_panel(
    size_t element, size_t lanes, size_t columns, const uint8_t *source, size_t row_bytes, size_t row_count,
    uint8_t *panel) {
    for (size_t lane = 0; lane < row_count; lane++)
        for (size_t k = 0; k < columns; k++)
            memcpy(panel + (k * lanes + lane) * element, source + lane * row_bytes + k * element, element);
}

static void pack_chunk(
    ft_type type, size_t lanes, size_t lane, size_t blocks, const uint8_t *source, uint8_t *chunk) {
    const ft_traits *t = ft_traits_of(type);
    size_t code_bytes = ft_block_code_bytes(t, lanes);
    uint8_t *scales = chunk + blocks * code_bytes;
    spread s;
    if (!t->is_super) {
        size_t halves = t->has_minimum ? 2 : 1;
        for (size_t b = 0; b < blocks; b++) {
            spread_block(type, source + b * t->block_bytes, &s);
            put_codes(t, s.codes, lanes, lane, chunk + b * code_bytes);
            put16(scales + (b * halves * lanes + lane) * 2, s.d);
            if (t->has_minimum)
                put16(scales + ((b * halves + 1) * lanes + lane) * 2, s.m);
        }
        return;
    }
    spread_super_block(type, source, &s);
    for (size_t b = 0; b < 8; b++)
        put_codes(t, s.codes + 32 * b, lanes, lane, chunk + b * code_bytes);
    put_sub_scales(t, s.scales, lanes, lane, scales);
    scales += ft_sub_scale_bytes(t, lanes);
    if (t->has_minimum && !t->nibble_minimum) {
        put_sub_scales(t, s.minima, lanes, lane, scales);
        scales += ft_sub_scale_bytes(t, lanes);
    }
    put16(scales + lane * 2, s.d);
    if (t->has_minimum)
        put16(scales + (lanes + lane) * 2, s.m);
}

void ft_pack_panel(
    ft_type type, size_t lanes, size_t columns, const uint8_t *source, size_t row_bytes, size_t row_count,
    uint8_t *panel) {
    const ft_traits *t = ft_traits_of(type);
    memset(panel, 0, ft_panel_bytes(type, lanes, columns));
    if (t->is_float) {
        pack_float_panel(t->block_bytes, lanes, columns, source, row_bytes, row_count, panel);
        return;
    }
    size_t per_chunk = t->is_super ? 1 : 8;
    for (size_t start = 0, c = 0; start < columns; start += FT_CHUNK, c++) {
        size_t blocks = ft_min_size(FT_CHUNK, columns - start) / FT_BLOCK;
        for (size_t lane = 0; lane < row_count; lane++)
            pack_chunk(
                type, lanes, lane, blocks, source + lane * row_bytes + c * per_chunk * t->block_bytes,
                panel + c * ft_chunk_bytes(t, lanes, 8));
    }
}
