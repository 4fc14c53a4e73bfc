#include "group_internal.h"
#include "search_small.h"

// Searches scales of groups; the file that includes this chooses the instruction set.

// Trial scales by how many steps the largest magnitude is from zero, on either side of it for four bits.
static const float steps_group_4[] = {-9.5f, -9.1f, -8.7f, -8.3f, -7.9f, -7.5f, -7.1f, -6.7f, -6.2f, -5.7f,
                                      -5.2f, 8.2f,  7.8f,  7.4f,  7.0f,  6.5f,  6.0f,  5.4f};
static const float steps_group_8[] = {127.9f, 127.5f, 127.0f, 126.0f, 124.0f, 121.0f, 117.0f, 112.0f, 129.0f, 132.0f,
                                      137.0f, 144.0f, 153.0f, 165.0f, 182.0f, 205.0f};
static const affine_search plan_group_4 = {0.03f, 0.3f, 7, 4, 0.035f, 0.7f};
static const affine_search plan_group_8 = {0.004f, 0.04f, 5, 3, 0.003f, 0.6f};

// Lanes of values rounded to the stored type, of a power of two `unit` each.
LANE_FUNCTION lanes stored_lanes(ft_type type, lanes v, lanes unit) {
    const lanes scaled = v * unit;
    lanes result;
    for (int i = 0; i < LANES; i++) result[i] = ft_stored(type, scaled[i]);
    return result / unit;
}

// The stored value `step` places farther from zero (nearer for a negative step).
LANE_FUNCTION lanes neighbour(ft_type type, lanes v, lanes unit, int step) {
    if (type == FT_F32 || step == 0) return v;
    const int place = type == FT_BF16 ? 1 << 16 : 1 << 13;
    const lanes moved = (lanes)((lane_ints)(v * unit) + step * place) / unit;
    return v == 0 ? v : stored_lanes(type, moved, unit);
}

typedef struct {
    lanes scale, offset, error;
} group_choice;

LANE_FUNCTION void keep_choice(group_choice *best, lanes scale, lanes offset, lanes error) {
    const lane_ints better = error < best->error;
    best->scale = better ? scale : best->scale;
    best->offset = better ? offset : best->offset;
    best->error = better ? error : best->error;
}

// Weighs stored scales near `scale` for codes low…high.
LANE_FUNCTION void settle_scale(
    const ft_group_format *f, const lane_blocks *b, lanes unit, lanes low, lanes high, lanes scale, lanes offset,
    group_choice *best) {
    for (int round = 0; round < 2; round++) {
        const lanes middle = stored_lanes(f->stored, scale, unit);
        for (int step = -1; step <= 1; step++) {
            if (f->stored == FT_F32 && step != 0) continue;
            lanes error;
            const lanes tried = neighbour(f->stored, middle, unit, step);
            const lanes refitted = refit_symmetric(b, low, high, tried, &error);
            keep_choice(best, tried, offset, error);
            if (step == 0) scale = refitted;
        }
    }
}

LANE_FUNCTION void search_symmetric_groups(
    const ft_group_format *f, const lane_blocks *b, lanes unit, group_choice *best) {
    const float high = (float)((1 << (f->bits - 1)) - 1), low = -high - 1;
    const lanes peak = lane_peak(b), inverse = lanes_inverse(f->positive ? lanes_abs(peak) : peak);
    const float *steps = f->bits == 4 ? steps_group_4 : steps_group_8;
    const int count = f->bits == 4 ? COUNT_OF(steps_group_4) : COUNT_OF(steps_group_8);
    lanes scale = 0, gain = 0;
    for (int k = 0; k < count; k++) {
        const float step = f->positive ? __builtin_fabsf(steps[k]) : steps[k];
        try_symmetric(b, low, high, step * inverse, &scale, &gain);
    }
    settle_scale(f, b, unit, low, high, scale, 0, best);
    // The library's own.
    settle_scale(f, b, unit, low, high, lanes_abs(peak) / (high + 0.5f), 0, best);
}

typedef struct {
    lanes scale, zero, gain;
} zero_line;

LANE_FUNCTION void try_zero(const lane_blocks *b, float most, lanes id, lanes zero, zero_line *best) {
    const lanes before = best->gain;
    try_symmetric(b, -zero, most - zero, id, &best->scale, &best->gain);
    best->zero = best->gain > before ? zero : best->zero;
}

LANE_FUNCTION void search_zero_points(const ft_group_format *f, const lane_blocks *b, lanes unit, group_choice *best) {
    const float most = (float)((1 << f->bits) - 1);
    const affine_search *plan = f->bits == 4 ? &plan_group_4 : &plan_group_8;
    lanes least = 0, largest = 0;
    for (int j = 0; j < b->count; j++) {
        least = lanes_min(least, b->x[j]);
        largest = lanes_max(largest, b->x[j]);
    }
    const lanes range = largest - least;
    const float span = (plan->outside + plan->inside) / (float)(plan->grid - 1);
    zero_line line = {0, 0, 0};
    for (int i = 0; i < plan->grid; i++) {
        const lanes low = lanes_min(least + range * ((float)i * span - plan->outside), 0);
        for (int k = 0; k < plan->grid; k++) {
            const lanes top = lanes_max(largest - range * ((float)k * span - plan->outside), 0);
            const lanes id = most * lanes_inverse(top - low);
            try_zero(b, most, id, lanes_round(lanes_clamp(-low * id, 0, most)), &line);
        }
    }
    float step = plan->step;
    for (int r = 0; r < plan->rounds; r++, step *= plan->shrink) {
        const lanes id = lanes_inverse(line.scale), zero = line.zero;
        for (int i = -1; i <= 1; i++) {
            for (int k = -1; k <= 1; k++) {
                try_zero(b, most, id * (1 + (float)i * step), lanes_clamp(zero + (float)k, 0, most), &line);
            }
        }
    }
    settle_scale(f, b, unit, -line.zero, most - line.zero, line.scale, line.zero, best);
    const lanes id = most * lanes_inverse(range), zero = lanes_round(lanes_clamp(-least * id, 0, most));
    settle_scale(f, b, unit, -zero, most - zero, range / most, zero, best);
}

// Stored pairs near a line: neighbours of its scale, and for each those of the offset that fits it best.
LANE_FUNCTION void settle_line(
    const ft_group_format *f, const lane_blocks *b, const affine_sums *sums, lanes unit, float most, lanes scale,
    lanes offset, group_choice *best) {
    const int reach = f->stored == FT_F32 ? 0 : 1;
    const lanes middle = stored_lanes(f->stored, scale, unit);
    for (int step = -reach; step <= reach; step++) {
        const lanes tried = neighbour(f->stored, middle, unit, step), id = lanes_inverse(tried);
        lanes q1 = 0;
        for (int j = 0; j < b->count; j++) {
            q1 += b->w[j] * lanes_round(lanes_clamp((b->x[j] - offset) * id, 0, most));
        }
        const lanes fitting = stored_lanes(f->stored, lanes_ratio(sums->x - tried * q1, sums->w), unit);
        for (int place = -reach; place <= reach; place++) {
            const lanes near = neighbour(f->stored, fitting, unit, place);
            keep_choice(best, tried, near, line_error(b, most, tried, near));
        }
    }
}

LANE_FUNCTION void search_affine_groups(
    const ft_group_format *f, const lane_blocks *b, lanes unit, group_choice *best) {
    const float most = (float)((1 << f->bits) - 1);
    const affine_sums sums = affine_sums_of(b);
    const lane_line line = search_affine(b, most, 0, f->bits == 4 ? &plan_group_4 : &plan_group_8);
    settle_line(f, b, &sums, unit, most, line.scale, line.offset, best);
    const lane_line again = fit_line(b, &sums, most, 0, best->scale, best->offset);
    settle_line(f, b, &sums, unit, most, again.scale, again.offset, best);
    // MLX's own: the end of larger magnitude is met exactly.
    lanes least = b->x[0], largest = b->x[0];
    for (int j = 1; j < b->count; j++) {
        least = lanes_min(least, b->x[j]);
        largest = lanes_max(largest, b->x[j]);
    }
    const lane_ints fromLeast = -least > lanes_abs(largest);
    const lanes edge = fromLeast ? least : largest, step = (largest - least) / most;
    const lanes scale = fromLeast ? step : -step, steps = lanes_round(edge * lanes_inverse(scale));
    const lanes exact = stored_lanes(f->stored, steps != 0 ? edge / steps : scale, unit);
    const lanes offset = stored_lanes(f->stored, steps != 0 ? edge : (lanes)0, unit);
    keep_choice(best, exact, offset, line_error(b, most, exact, offset));
}

static void search_groups(
    const ft_group_format *f, const float *const *groups, const float *const *weights, float *scratch, float *scales,
    float *offsets) {
    const size_t count = f->group;
    lanes *x = (lanes *)scratch, *w = x + count, *wx = w + count;
    for (int i = 0; i < LANES; i++) {
        for (size_t j = 0; j < count; j++) {
            x[j][i] = groups[i] ? groups[i][j] : 0;
            w[j][i] = weights && weights[i] ? weights[i][j] : 1;
        }
    }
    lanes largest = 0, energy = 0;
    for (size_t j = 0; j < count; j++) largest = lanes_max(largest, lanes_abs(x[j]));
    const lanes unit = unit_of(largest), inverse = 1 / unit;
    for (size_t j = 0; j < count; j++) {
        x[j] *= inverse;
        energy += x[j] * x[j];
    }
    for (size_t j = 0; j < count; j++) {
        if (weights) w[j] *= preferred(COUNT_FOURTH_ROOT, energy / (float)count + x[j] * x[j]);
        wx[j] = w[j] * x[j];
    }
    const lane_blocks b = {x, w, wx, (int)count};
    group_choice best = {0, 0, __builtin_inff()};
    switch (f->kind) {
    case FT_GROUP_AFFINE: search_affine_groups(f, &b, unit, &best); break;
    case FT_GROUP_ZERO_POINT: search_zero_points(f, &b, unit, &best); break;
    case FT_GROUP_SYMMETRIC: search_symmetric_groups(f, &b, unit, &best); break;
    }
    const lanes scaled = best.scale * unit, shifted = best.offset * unit;
    for (int i = 0; i < LANES; i++) {
        scales[i] = scaled[i];
        offsets[i] = f->kind == FT_GROUP_AFFINE ? shifted[i] : best.offset[i];
    }
}
