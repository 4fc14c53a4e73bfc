// The row and attention kernels of this processor against the plain ones, and attention against itself with slots
// moved about. Plain C, so that a cross compiler and an emulator can run it where Swift cannot.

#include "attention.h"
#include "vector.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 1024 };

static int failures = 0;
static uint64_t state = 88172645463325252u;

static float unit(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (float)(int32_t)(uint32_t)(state >> 16) * 0x1p-31f;
}

static void fill(float *x, size_t n, float range) {
    for (size_t i = 0; i < n; i++) x[i] = unit() * range;
}

static void compare(const char *what, size_t n, const float *plain, const float *fast, size_t count, float tolerance) {
    for (size_t i = 0; i < count; i++) {
        float size = fmaxf(1, fmaxf(fabsf(plain[i]), fabsf(fast[i])));
        if (!(fabsf(plain[i] - fast[i]) <= tolerance * size)) {
            printf("%s, length %zu: element %zu is %g, not %g\n", what, n, i, fast[i], plain[i]);
            failures++;
            return;
        }
    }
}

static void elements(ft_isa isa, size_t n) {
    const ft_vector_kernels *p = ft_vector_kernels_for(FT_ISA_SCALAR), *f = ft_vector_kernels_for(isa);
    float x[MOST], y[MOST], plain[MOST], fast[MOST];
    fill(x, n, 4);
    fill(y, n, 4);
#define CHECK(what, call)                                                                                             \
    do {                                                                                                              \
        memcpy(plain, x, n * sizeof(float));                                                                          \
        memcpy(fast, x, n * sizeof(float));                                                                           \
        {                                                                                                             \
            const ft_vector_kernels *k = p;                                                                           \
            float *t = plain;                                                                                         \
            call;                                                                                                     \
        }                                                                                                             \
        {                                                                                                             \
            const ft_vector_kernels *k = f;                                                                           \
            float *t = fast;                                                                                          \
            call;                                                                                                     \
        }                                                                                                             \
        compare(what, n, plain, fast, n, 4e-6f);                                                                      \
    } while (0)
    CHECK("rms_norm", k->rms_norm(t, t, y, n, 1e-5f));
    CHECK("layer_norm", k->layer_norm(t, t, y, y, n, 1e-5f));
    CHECK("silu", k->silu(t, n));
    CHECK("silu_multiply", k->silu_multiply(t, y, n));
    CHECK("gelu_multiply", k->gelu_multiply(t, y, n));
    CHECK("add_scaled", k->add_scaled(t, y, 0.3f, n));
    CHECK("scale", k->scale(t, 1.7f, n));
    CHECK("soft_cap", k->soft_cap(t, 3, n));
    CHECK("add_squares", k->add_squares(t, y, n));
    if (n % 2 == 0) {
        CHECK("rotate halves", k->rotate(t, 1, n, y, x, n / 2, false));
        CHECK("rotate interleaved", k->rotate(t, 1, n, y, x, n / 2, true));
    }
    if (p->largest(x, n) != f->largest(x, n)) {
        printf("largest, length %zu\n", n);
        failures++;
    }
    float kept = x[n - 1];
    for (int bad = 0; bad < 3; bad++) {
        x[n - 1] = bad == 0 ? kept : bad == 1 ? NAN : -INFINITY;
        if (f->all_finite(x, n) != (bad == 0)) {
            printf("all_finite, length %zu, case %d\n", n, bad);
            failures++;
        }
    }
}

// One row over `positions` keys, the first `settled` in their own slots, the others `spread` slots apart.
static void attend(
    ft_isa isa, ft_cache_type type, size_t size, size_t group, size_t positions, size_t settled, int spread,
    float *out) {
    size_t padded = ft_cache_padded(size), stride = ft_cache_record_bytes(type, size);
    size_t slots = settled + (size_t)spread * (positions - settled) + 1;
    char *keys = malloc(slots * stride), *values = malloc(slots * stride);
    int32_t path[256];
    const ft_attention_kernels *kernels = ft_attention_kernels_for(isa);
    state = 99;
    for (size_t t = 0; t < positions; t++) {
        if (t >= settled) path[t - settled] = (int32_t)(t - settled) * spread;
        size_t slot = t < settled ? t : settled + (size_t)path[t - settled];
        float x[MOST];
        fill(x, size, 1);
        kernels->store(type, keys + slot * stride, x, size);
        fill(x, size, 1);
        kernels->store(type, values + slot * stride, x, size);
    }
    float query[8 * 128] = {0};
    for (size_t head = 0; head < group; head++) fill(query + head * padded, size, 1);
    ft_attention_row row = {
        .type = type, .head_size = padded, .keys = keys, .values = values, .stride = stride, .settled = settled,
        .path = path, .first = positions / 5, .end = positions, .group = group, .query = query, .scale = 0.2f,
        .cap = 5, .out = out,
    };
    kernels->attend(&row);
    free(keys);
    free(values);
}

static void attention(ft_isa isa) {
    static const size_t sizes[][2] = {{8, 1}, {32, 2}, {64, 8}, {96, 3}, {80, 7}, {12, 4}};
    for (int type = FT_CACHE_F32; type <= FT_CACHE_Q8; type++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
            for (size_t positions = 1; positions < 140; positions += 23) {
                float plain[1024], fast[1024], moved[1024];
                size_t size = sizes[s][0], group = sizes[s][1], count = ft_cache_padded(size) * group;
                attend(FT_ISA_SCALAR, (ft_cache_type)type, size, group, positions, positions, 1, plain);
                attend(isa, (ft_cache_type)type, size, group, positions, positions, 1, fast);
                compare("attention", positions, plain, fast, count, 1e-5f);
                attend(isa, (ft_cache_type)type, size, group, positions, positions / 3, 3, moved);
                if (memcmp(fast, moved, count * sizeof(float)) != 0) {
                    printf("attention over %zu positions depends on where keys lie\n", positions);
                    failures++;
                }
            }
}

int main(void) {
    int sets = 0;
    for (int isa = FT_ISA_AVX2; isa <= FT_ISA_NEON; isa++) {
        if (!ft_isa_supported((ft_isa)isa)) continue;
        sets++;
        for (size_t n = 1; n <= 300; n++) elements((ft_isa)isa, n);
        attention((ft_isa)isa);
    }
    if (sets == 0) {
        printf("rows: this processor has no set to test\n");
        return 1;
    }
    printf(failures ? "rows: %d failures\n" : "rows: all kernels agree\n", failures);
    return failures != 0;
}
