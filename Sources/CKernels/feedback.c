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

// Few directions need two sets at a time; H itself is read once for all rows.
static size_t rows_together(const ft_feedback *f, size_t rows) {
    return f->upper || rows < 2 * FEEDBACK_ROWS ? rows : 2 * FEEDBACK_ROWS;
}

// Room for sets of `rows` rows whose columns share scales `share` at a time.
static bool make_sets(size_t rows, size_t n, size_t share, const ft_feedback *f, ft_feedback_sets *s) {
    const size_t sets = (rows + FEEDBACK_ROWS - 1) / FEEDBACK_ROWS, units = n / share;
    const size_t x = sets * n * FEEDBACK_ROWS, scales = sets * units * FEEDBACK_ROWS;
    const size_t errors = f->upper ? sets * FEEDBACK_RUN * FEEDBACK_ROWS : 0;
    const size_t bytes = (x + 3 * scales + errors + n) * sizeof(float) + x;
    float *all = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (!all) return false;
    memset(all, 0, 2 * scales * sizeof(float));
    uint32_t *unit = (uint32_t *)(all + 3 * scales + x + errors);
    for (size_t j = 0; j < n; j++) unit[f->place[j]] = (uint32_t)(j / share);
    *s = (ft_feedback_sets){
        .n = n, .sets = sets, .unit = unit, .units = units, .scale = all, .offset = all + scales,
        .inverse = all + 2 * scales, .x = all + 3 * scales, .errors = all + 3 * scales + x, .codes = (uint8_t *)(unit + n)};
    return true;
}

// The scales of one of the sets' rows, a unit at a time.
static void put_scale(const ft_feedback_sets *s, size_t row, size_t unit, float scale, float offset) {
    const size_t to = (row / FEEDBACK_ROWS * s->units + unit) * FEEDBACK_ROWS + row % FEEDBACK_ROWS;
    s->scale[to] = scale;
    s->offset[to] = offset;
}

// Bytes of eight words as the rows of a square, turned into its columns.
static void turn_bytes(uint64_t v[8]) {
    static const uint64_t masks[3] = {0x00000000FFFFFFFF, 0x0000FFFF0000FFFF, 0x00FF00FF00FF00FF};
    for (int stage = 0, span = 4; stage < 3; stage++, span /= 2) {
        for (int i = 0; i < 8; i++) {
            if (i & span) continue;
            const uint64_t low = v[i], high = v[i + span];
            v[i] = (low & masks[stage]) | (high & masks[stage]) << 8 * span;
            v[i + span] = (low >> 8 * span & masks[stage]) | (high & ~masks[stage]);
        }
    }
}

// The codes of a set's eight rows, from the order of coding: out[i] is row i's.
static void take_codes(const ft_feedback_sets *s, size_t set, const uint32_t *place, uint8_t *const *out) {
    const uint8_t *codes = s->codes + set * s->n * FEEDBACK_ROWS;
    size_t j = 0;
    for (; j + 8 <= s->n; j += 8) {
        uint64_t v[8];
        for (int i = 0; i < 8; i++) memcpy(&v[i], codes + place[j + (size_t)i] * FEEDBACK_ROWS, 8);
        turn_bytes(v);
        for (int i = 0; i < 8; i++) memcpy(out[i] + j, &v[i], 8);
    }
    for (; j < s->n; j++) {
        for (int i = 0; i < FEEDBACK_ROWS; i++) out[i][j] = codes[place[j] * FEEDBACK_ROWS + (size_t)i];
    }
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
    const size_t rowBytes = n / elements * bytes, together = rows_together(f, rows), share = ft_block_share(type);
    ft_feedback_sets s;
    uint8_t *plain = malloc(n * FEEDBACK_ROWS), *own[FEEDBACK_ROWS];
    if (!plain || !make_sets(together, n, share, f, &s)) {
        free(plain);
        return false;
    }
    for (int i = 0; i < FEEDBACK_ROWS; i++) own[i] = plain + (size_t)i * n;
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
        s.rows = rows - first < together ? rows - first : together;
        s.w = w + first * n;
        uint8_t *here = (uint8_t *)blocks + first * rowBytes;
        for (size_t i = 0; i < s.rows; i++) {
            for (size_t at = 0; at < n; at += elements) {
                ft_block_grid grid;
                ft_grid_of_block(type, here + i * rowBytes + at / elements * bytes, &grid);
                for (size_t j = 0; j < elements / share; j++) {
                    put_scale(&s, i, at / share + j, grid.scale[j], grid.offset[j]);
                }
            }
        }
        choose(isa, &s, &l, f);
        for (size_t i = 0; i < s.rows; i++) {
            if (i % FEEDBACK_ROWS == 0) take_codes(&s, i / FEEDBACK_ROWS, f->place, own);
            const uint8_t *row = own[i % FEEDBACK_ROWS];
            for (size_t at = 0; at < n; at += elements) {
                uint8_t *block = here + i * rowBytes + at / elements * bytes;
                ft_block_fields fields;
                ft_unpack_block(type, block, &fields);
                if (isUniform) memcpy(fields.codes, row + at, elements);
                else for (size_t j = 0; j < elements; j++) fields.codes[j] = codes[row[at + j]];
                ft_pack_block(type, &fields, block);
            }
        }
    }
    free(plain);
    free(s.scale);
    return true;
}

bool ft_feedback_groups(
    ft_isa isa, const ft_group_format *format, const float *w, size_t rows, size_t n, const ft_feedback *f,
    uint8_t *codes, const float *scales, const float *offsets) {
    if (!ft_group_is_sound(format, n)) return false;
    const size_t across = n / format->group, rowBytes = n * (size_t)format->bits / 8;
    const size_t together = rows_together(f, rows);
    ft_feedback_sets s;
    uint8_t *plain = malloc(n * FEEDBACK_ROWS), *own[FEEDBACK_ROWS];
    if (!plain || !make_sets(together, n, format->group, f, &s)) {
        free(plain);
        return false;
    }
    for (int i = 0; i < FEEDBACK_ROWS; i++) own[i] = plain + (size_t)i * n;
    const ft_feedback_levels l = {NULL, 0, (float)((1 << format->bits) - 1)};
    for (size_t first = 0; first < rows; first += together) {
        s.rows = rows - first < together ? rows - first : together;
        s.w = w + first * n;
        for (size_t i = 0; i < s.rows; i++) {
            for (size_t unit = 0; unit < across; unit++) {
                const float scale = scales[(first + i) * across + unit], offset = offsets[(first + i) * across + unit];
                put_scale(&s, i, unit, scale, ft_group_base(format, offset) - scale * ft_group_zero(format, offset));
            }
        }
        choose(isa, &s, &l, f);
        for (size_t i = 0; i < s.rows; i++) {
            if (i % FEEDBACK_ROWS == 0) take_codes(&s, i / FEEDBACK_ROWS, f->place, own);
            ft_group_pack(format->bits, own[i % FEEDBACK_ROWS], n, codes + (first + i) * rowBytes);
        }
    }
    free(plain);
    free(s.scale);
    return true;
}

static double whole_error(const float *a, const float *b, size_t n, const ft_feedback *f, double *scratch) {
    for (size_t j = 0; j < n; j++) scratch[f->place[j]] = (double)a[j] - b[j];
    double total = 0;
    for (size_t j = 0; j < n; j++) {
        const float *u = f->upper + j * n;
        const double y = scratch[j] / u[j];
        total += y * y;
        for (size_t k = j + 1; k < n; k++) scratch[k] -= u[k] * y;
    }
    return total;
}

double ft_feedback_error(
    const float *a, const float *b, size_t n, const ft_feedback *f, const float *rest, double *scratch) {
    if (f->upper) return whole_error(a, b, n, f, scratch);
    double seen[FT_FEEDBACK_RANK] = {0}, total = 0;
    for (size_t j = 0; j < n; j++) {
        const float *direction = f->directions + (size_t)f->place[j] * FT_FEEDBACK_RANK;
        const double e = (double)a[j] - b[j];
        total += rest[j] * e * e;
        for (int r = 0; r < FT_FEEDBACK_RANK; r++) seen[r] += e * direction[r];
    }
    for (int r = 0; r < FT_FEEDBACK_RANK; r++) total += seen[r] * seen[r];
    return total;
}
