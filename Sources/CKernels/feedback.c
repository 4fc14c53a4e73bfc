#pragma STDC FP_CONTRACT OFF
#include "feedback_internal.h"

#include "group_internal.h"

#include <stdlib.h>

void ft_feedback_answers(const float *directions, const float *rest, size_t n, float *answers) {
    enum { RANK = FT_FEEDBACK_RANK };
    double m[RANK][RANK] = {0};
    for (int r = 0; r < RANK; r++) m[r][r] = 1;
    for (size_t k = n; k-- > 0;) {
        const float *u = directions + k * RANK;
        double mu[RANK], share = rest[k];
        for (int r = 0; r < RANK; r++) {
            mu[r] = 0;
            for (int s = 0; s < RANK; s++) mu[r] += m[r][s] * u[s];
            share += u[r] * mu[r];
        }
        for (int r = 0; r < RANK; r++) answers[k * RANK + (size_t)r] = (float)(mu[r] / share);
        // One column more to come: Sherman and Morrison.
        for (int r = 0; r < RANK; r++) {
            for (int s = 0; s < RANK; s++) m[r][s] -= mu[r] * mu[s] / share;
        }
    }
}

// Few directions need eight rows at a time; H itself is read once for all rows.
static size_t rows_together(const ft_feedback *f, size_t rows) { return f->upper || rows < FEEDBACK_ROWS ? rows : FEEDBACK_ROWS; }

static bool make_sets(size_t rows, size_t n, ft_feedback_sets *s) {
    const size_t sets = (rows + FEEDBACK_ROWS - 1) / FEEDBACK_ROWS, floats = sets * n * FEEDBACK_ROWS;
    const size_t errors = sets * FEEDBACK_RUN * FEEDBACK_ROWS;
    float *all = aligned_alloc(64, ((3 * floats + errors) * sizeof(float) + floats + 63) / 64 * 64);
    if (!all) return false;
    memset(all, 0, 3 * floats * sizeof(float));
    *s = (ft_feedback_sets){
        sets, n, all, all + floats, all + 2 * floats, all + 3 * floats, (uint8_t *)(all + 3 * floats + errors)};
    return true;
}

static void choose(ft_isa isa, const ft_feedback_sets *s, const ft_feedback_levels *l, const ft_feedback *f) {
#if defined(__x86_64__)
    if (isa == FT_ISA_AVX2 && ft_isa_supported(FT_ISA_AVX2)) {
        ft_feedback_choose_avx2(s, l, f);
        return;
    }
#endif
    (void)isa;
    ft_feedback_choose_scalar(s, l, f);
}

bool ft_feedback_rows(
    ft_isa isa, ft_type type, const float *w, size_t rows, size_t n, const ft_feedback *f, void *blocks) {
    const size_t elements = ft_block_elements(type), bytes = ft_block_bytes(type);
    if (elements < 2 || n % elements != 0 || !ft_can_encode(type, FT_SEARCH)) return false;
    const size_t rowBytes = n / elements * bytes, together = rows_together(f, rows);
    ft_feedback_sets s;
    if (!make_sets(together, n, &s)) return false;
    // Levels in increasing order, and their codes: MXFP4's second half of codes are the negative ones, from zero down.
    float levels[256], sorted[16];
    uint8_t codes[16];
    const int count = ft_block_levels(type, levels);
    const bool isUniform = type != FT_IQ4_NL && type != FT_IQ4_XS && type != FT_MXFP4;
    for (int i = 0; i < 16 && !isUniform; i++) {
        codes[i] = (uint8_t)(type != FT_MXFP4 ? i : i < 7 ? 15 - i : i == 7 ? 0 : i - 8);
        sorted[i] = levels[codes[i]];
    }
    const ft_feedback_levels l = {isUniform ? NULL : sorted, levels[0], (float)(count - 1)};
    for (size_t first = 0; first < rows; first += together) {
        const size_t some = rows - first < together ? rows - first : together;
        uint8_t *own = (uint8_t *)blocks + first * rowBytes;
        for (size_t i = 0; i < some; i++) {
            const size_t lane = i / FEEDBACK_ROWS * n * FEEDBACK_ROWS + i % FEEDBACK_ROWS;
            for (size_t at = 0; at < n; at += elements) {
                ft_block_grid grid;
                ft_grid_of_block(type, own + i * rowBytes + at / elements * bytes, &grid);
                for (size_t j = 0; j < elements; j++) {
                    const size_t to = lane + f->place[at + j] * FEEDBACK_ROWS;
                    s.x[to] = w[(first + i) * n + at + j];
                    s.scale[to] = grid.scale[j];
                    s.offset[to] = grid.offset[j];
                }
            }
        }
        choose(isa, &s, &l, f);
        for (size_t i = 0; i < some; i++) {
            const uint8_t *from = s.codes + i / FEEDBACK_ROWS * n * FEEDBACK_ROWS + i % FEEDBACK_ROWS;
            for (size_t at = 0; at < n; at += elements) {
                uint8_t *block = own + i * rowBytes + at / elements * bytes;
                ft_block_fields fields;
                ft_unpack_block(type, block, &fields);
                for (size_t j = 0; j < elements; j++) {
                    const uint8_t code = from[f->place[at + j] * FEEDBACK_ROWS];
                    fields.codes[j] = isUniform ? code : codes[code];
                }
                ft_pack_block(type, &fields, block);
            }
        }
    }
    free(s.x);
    return true;
}

bool ft_feedback_groups(
    ft_isa isa, const ft_group_format *format, const float *w, size_t rows, size_t n, const ft_feedback *f,
    uint8_t *codes, const float *scales, const float *offsets) {
    if (!ft_group_is_sound(format, n)) return false;
    const size_t across = n / format->group, rowBytes = n * (size_t)format->bits / 8;
    const size_t together = rows_together(f, rows);
    ft_feedback_sets s;
    uint8_t *row = malloc(n);
    if (!row || !make_sets(together, n, &s)) {
        free(row);
        return false;
    }
    const ft_feedback_levels l = {NULL, 0, (float)((1 << format->bits) - 1)};
    for (size_t first = 0; first < rows; first += together) {
        const size_t some = rows - first < together ? rows - first : together;
        for (size_t i = 0; i < some; i++) {
            const size_t lane = i / FEEDBACK_ROWS * n * FEEDBACK_ROWS + i % FEEDBACK_ROWS;
            for (size_t j = 0; j < n; j++) {
                const size_t group = (first + i) * across + j / format->group;
                const size_t to = lane + f->place[j] * FEEDBACK_ROWS;
                s.x[to] = w[(first + i) * n + j];
                s.scale[to] = scales[group];
                s.offset[to] =
                    ft_group_base(format, offsets[group]) - scales[group] * ft_group_zero(format, offsets[group]);
            }
        }
        choose(isa, &s, &l, f);
        for (size_t i = 0; i < some; i++) {
            const uint8_t *from = s.codes + i / FEEDBACK_ROWS * n * FEEDBACK_ROWS + i % FEEDBACK_ROWS;
            for (size_t j = 0; j < n; j++) row[j] = from[f->place[j] * FEEDBACK_ROWS];
            ft_group_pack(format->bits, row, n, codes + (first + i) * rowBytes);
        }
    }
    free(s.x);
    free(row);
    return true;
}

double ft_moment_error(const float *a, const float *b, size_t n, const float *rest, const float *factor) {
    double seen[FT_FEEDBACK_RANK] = {0}, total = 0;
    for (size_t j = 0; j < n; j++) {
        const double e = (double)a[j] - b[j];
        total += rest[j] * e * e;
        for (int r = 0; r < FT_FEEDBACK_RANK; r++) seen[r] += e * factor[j * FT_FEEDBACK_RANK + (size_t)r];
    }
    for (int r = 0; r < FT_FEEDBACK_RANK; r++) total += seen[r] * seen[r];
    return total;
}
