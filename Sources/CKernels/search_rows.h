#include "search_pairs.h"
#include "search_super.h"

// Encodes rows by search; the file that includes this names the function and chooses the instruction set.

static const float steps_q3_k[] = {-5.2f, -4.8f, -4.5f, -4.2f, -3.9f, -3.6f, -3.3f, -3.0f, -2.7f,
                                   -2.4f, 4.2f,  3.8f,  3.5f,  3.2f,  2.9f,  2.6f,  2.3f,  2.0f};
static const float steps_q6_k[] = {-33.0f, -31.9f, -30.8f, -29.5f, -28.0f, -26.5f, 31.6f, 30.2f, 28.6f, 26.9f};

static void search_eight_blocks(ft_type type, const float *src, const float *importance, ft_block_fields *fields) {
    if (!importance) {
        switch ((int)type) {
        case FT_Q4_0: search_pairs(&codes_q4_0, src, fields); return;
        case FT_Q5_0: search_pairs(&codes_q5_0, src, fields); return;
        case FT_Q8_0: search_pairs(&codes_q8_0, src, fields); return;
        }
    }
    small_blocks s;
    load_small(&s, src, importance, preference_of(type));
    switch ((int)type) {
    case FT_Q4_0: search_small_symmetric(&s, &codes_q4_0, fields); break;
    case FT_Q5_0: search_small_symmetric(&s, &codes_q5_0, fields); break;
    case FT_Q8_0: search_small_symmetric(&s, &codes_q8_0, fields); break;
    case FT_Q4_1: search_small_affine(&s, 15, fields); break;
    case FT_Q5_1: search_small_affine(&s, 31, fields); break;
    case FT_IQ4_NL: search_small_levels(&s, fields); break;
    case FT_MXFP4: search_mxfp4(&s, fields); break;
    }
}

static void search_super_block(ft_type type, const float *src, const float *importance, ft_block_fields *fields) {
    super_block s;
    load_super(&s, type == FT_Q4_K || type == FT_Q5_K || type == FT_IQ4_XS ? 32 : 16, src, importance,
        preference_of(type));
    switch ((int)type) {
    case FT_Q2_K: {
        const affine_super k = {3, 15, {0.05f, 0.35f, 5, 3, 0.06f, 0.6f}, 1, 3};
        search_super_affine(&k, &s, fields);
        break;
    }
    case FT_Q4_K: {
        const affine_super k = {15, 63, {0.03f, 0.3f, 7, 4, 0.035f, 0.7f}, 1, 2};
        search_super_affine(&k, &s, fields);
        break;
    }
    case FT_Q5_K: {
        const affine_super k = {31, 63, {0.02f, 0.16f, 7, 4, 0.02f, 0.7f}, 1, 2};
        search_super_affine(&k, &s, fields);
        break;
    }
    case FT_Q3_K: {
        const symmetric_super k = {0, {-4, 3, steps_q3_k, COUNT_OF(steps_q3_k), 0.15f}, -32, 31, 1, 4};
        search_super_symmetric(&k, &s, fields);
        break;
    }
    case FT_Q6_K: {
        const symmetric_super k = {0, {-32, 31, steps_q6_k, COUNT_OF(steps_q6_k), 0.35f}, -128, 127, 1, 1};
        search_super_symmetric(&k, &s, fields);
        break;
    }
    case FT_IQ4_XS: {
        float levels[16];
        for (int i = 0; i < 16; i++) levels[i] = ft_iq4_levels[i];
        const level_table t = level_table_of(levels);
        const symmetric_super k = {&t, {0, 0, steps_levels, COUNT_OF(steps_levels), 0}, -32, 31, 1, 2};
        search_super_symmetric(&k, &s, fields);
        break;
    }
    }
}

static void search_row(ft_type type, const float *src, const float *importance, uint8_t *dst, size_t n) {
    const size_t bytes = ft_block_bytes(type);
    ft_block_fields fields[LANES];
    if (ft_block_elements(type) == 256) {
        for (size_t at = 0; at < n; at += 256, dst += bytes) {
            search_super_block(type, src + at, importance ? importance + at : 0, fields);
            ft_pack_block(type, fields, dst);
        }
        return;
    }
    float padded[2][32 * LANES];
    for (size_t at = 0; at < n; at += 32 * LANES) {
        const size_t count = n - at < 32 * LANES ? n - at : 32 * LANES;
        const float *x = src + at, *w = importance ? importance + at : 0;
        if (count < 32 * LANES) {
            memset(padded, 0, sizeof padded);
            memcpy(padded[0], x, count * sizeof(float));
            x = padded[0];
            if (w) {
                memcpy(padded[1], w, count * sizeof(float));
                w = padded[1];
            }
        }
        search_eight_blocks(type, x, w, fields);
        for (size_t i = 0; i < count / 32; i++, dst += bytes) ft_pack_block(type, &fields[i], dst);
    }
}
