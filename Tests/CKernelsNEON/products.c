// Every instruction set of this processor against the scalar kernels, to the bit: quantized activations, products of
// every type and row count. Plain C, so that a cross compiler and an emulator can run it where Swift cannot.

#include "matmul.h"
#include "memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state = 88172645463325252u;

static uint32_t next(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 16);
}

static float unit(void) { return (float)(int32_t)next() * 0x1p-31f; }

// Arbitrary codes and sub-block scales; the half-precision scales of blocks are small numbers of either sign.
static uint8_t *random_blocks(ft_type type, size_t elements) {
    size_t count = elements / ft_block_elements(type), size = ft_block_bytes(type);
    uint8_t *bytes = malloc(count * size);
    for (size_t i = 0; i < count * size; i++)
        bytes[i] = (uint8_t)next();
    for (size_t i = 0; i < count; i++) {
        uint8_t *block = bytes + i * size;
        uint16_t half = (uint16_t)(0x1c00 + next() % 0x800) | (uint16_t)(next() & 0x8000);
        switch (type) {
        case FT_F32: {
            float value = unit();
            memcpy(block, &value, 4);
            break;
        }
        case FT_F16: memcpy(block, &half, 2); break;
        case FT_BF16: block[1] = (uint8_t)(0x3a + next() % 4); break;
        case FT_MXFP4: block[0] = (uint8_t)(118 + next() % 8); break;
        case FT_Q2_K:
            memcpy(block + 80, &half, 2);
            memcpy(block + 82, &half, 2);
            break;
        case FT_Q3_K: memcpy(block + 108, &half, 2); break;
        case FT_Q6_K: memcpy(block + 208, &half, 2); break;
        case FT_Q4_1:
        case FT_Q5_1:
        case FT_Q4_K:
        case FT_Q5_K:
            memcpy(block, &half, 2);
            half ^= 0x0155;
            memcpy(block + 2, &half, 2);
            break;
        default: memcpy(block, &half, 2); break;
        }
    }
    return bytes;
}

typedef struct {
    ft_isa isa;
    ft_pool *pool;
} setting;

static float *outputs(
    setting s, ft_type type, const uint8_t *source, size_t rows, size_t columns, const float *values, size_t count) {
    size_t lanes = ft_product_lanes(s.isa, type), panel = ft_panel_bytes(type, lanes, columns);
    size_t panels = (rows + lanes - 1) / lanes, row_bytes = columns / ft_block_elements(type) * ft_block_bytes(type);
    uint8_t *data = ft_allocate(panels * panel);
    for (size_t p = 0; p < panels; p++) {
        size_t left = rows - p * lanes;
        ft_pack_panel(
            type, lanes, columns, source + p * lanes * row_bytes, row_bytes, left < lanes ? left : lanes,
            data + p * panel);
    }
    ft_weights weights = {type, lanes, rows, columns, data};
    size_t chunks = (columns + FT_CHUNK - 1) / FT_CHUNK * count;
    ft_activations x = {.rows = count, .columns = columns, .values = values, .stride = columns};
    x.blocks32 = ft_allocate(chunks * sizeof *x.blocks32);
    x.blocks256 = ft_allocate(chunks * sizeof *x.blocks256);
    ft_form form = ft_product_form(&weights);
    if (form != FT_FORM_FLOAT)
        ft_prepare_activations(s.isa, form, &x, 0, count);
    float *out = calloc(count * rows, sizeof(float));
    ft_product product = {weights, &x, out, rows};
    ft_product_run(s.isa, s.pool, &product, 1);
    ft_release(x.blocks32, chunks * sizeof *x.blocks32);
    ft_release(x.blocks256, chunks * sizeof *x.blocks256);
    ft_release(data, panels * panel);
    return out;
}

int main(void) {
    static const ft_type types[] = {FT_F32,    FT_F16,   FT_BF16, FT_Q8_0, FT_Q4_0, FT_Q4_1, FT_Q5_0, FT_Q5_1,
                                    FT_IQ4_NL, FT_MXFP4, FT_Q2_K, FT_Q3_K, FT_Q4_K, FT_Q5_K, FT_Q6_K, FT_IQ4_XS};
    static const char *const names[] = {"scalar", "avx2", "neon", "avx512vnni"};
    static const size_t counts[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 16, 21};
    ft_pool *pool = ft_pool_create(2);
    int sets = 0;
    for (ft_isa isa = FT_ISA_AVX2; isa <= FT_ISA_AVX512VNNI; isa++) {
        if (!ft_isa_supported(isa))
            continue;
        sets++;
        for (size_t t = 0; t < sizeof types / sizeof types[0]; t++)
            for (size_t round = 0; round < 2; round++) {
                size_t columns = ft_block_elements(types[t]) == 256 ? 768 : round ? 352 : 512, rows = 35;
                uint8_t *source = random_blocks(types[t], rows * columns);
                float *values = malloc(21 * columns * sizeof(float));
                for (size_t i = 0; i < 21 * columns; i++)
                    values[i] = unit() * (next() % 16 ? 1.0f : 9.0f);
                if (round)
                    values[columns / 2] = INFINITY;
                float *expected = outputs((setting){FT_ISA_SCALAR, pool}, types[t], source, rows, columns, values, 21);
                for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
                    float *found = outputs((setting){isa, pool}, types[t], source, rows, columns, values, counts[c]);
                    for (size_t i = 0; i < counts[c] * rows; i++)
                        if (memcmp(found + i, expected + i, 4) && !(isnan(found[i]) && isnan(expected[i]))) {
                            printf(
                                "%s, type %d, %zu rows: output %zu is %a, not %a\n", names[isa], (int)types[t],
                                counts[c], i, (double)found[i], (double)expected[i]);
                            return 1;
                        }
                    free(found);
                }
                free(expected);
                free(values);
                free(source);
            }
        printf("%s agrees with scalar to the bit\n", names[isa]);
    }
    ft_pool_destroy(pool);
    if (sets == 0) {
        printf("this processor has no instruction set to test\n");
        return 1;
    }
    return 0;
}
