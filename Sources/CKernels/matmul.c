#pragma STDC FP_CONTRACT OFF
#include "matmul_kernels.h"

// The set whose kernels a type gets: the asked one or what it falls back to.
static ft_isa set_of(ft_isa isa, ft_type type) {
    if (isa == FT_ISA_AVX512VNNI && !ft_panel_kernel_avx512vnni(type))
        isa = FT_ISA_AVX2;
    if ((isa == FT_ISA_AVX2 && !ft_panel_kernel_avx2(type)) || (isa == FT_ISA_NEON && !ft_panel_kernel_neon(type)))
        return FT_ISA_SCALAR;
    return isa;
}

ft_form ft_product_form(const ft_weights *w) {
    const ft_traits *t = w->lanes ? ft_traits_of(w->type) : NULL;
    return !t || t->is_float ? FT_FORM_FLOAT : t->is_super ? FT_FORM_256 : FT_FORM_32;
}

size_t ft_product_lanes(ft_isa isa, ft_type type) { return set_of(isa, type) == FT_ISA_AVX512VNNI ? 16 : 8; }

static ft_panel_kernel panel_kernel(ft_isa isa, ft_type type) {
    switch (set_of(isa, type)) {
    case FT_ISA_AVX512VNNI: return ft_panel_kernel_avx512vnni(type);
    case FT_ISA_AVX2: return ft_panel_kernel_avx2(type);
    case FT_ISA_NEON: return ft_panel_kernel_neon(type);
    default: return ft_panel_kernel_scalar(type);
    }
}

// Rows of activations that share one pass over the panels of an item: their quantized forms stay in the
// second-level cache while the panels pass by.
enum { ROW_BLOCK = 128 };

// Weights that one thread takes at a time: they stay in the second-level cache while blocks of rows pass by.
enum { ITEM_BYTES = 48 << 10 };

// Plain rows are taken as many at a time.
enum { ROW_LANES = 8 };

static size_t lanes_of(const ft_weights *w) { return w->lanes ? w->lanes : ROW_LANES; }

static size_t panel_count(const ft_weights *w) { return (w->rows + lanes_of(w) - 1) / lanes_of(w); }

static size_t panel_bytes(const ft_weights *w) {
    return w->lanes ? ft_panel_bytes(w->type, w->lanes, w->columns) : ROW_LANES * ft_row_bytes(w);
}

// Products with 8 plain rows: each chunk of 256 columns becomes a panel of floats for the moment, and their sums are
// added in order, as the kernels for floats do.
static void plain_rows(
    ft_isa isa, const ft_weights *w, size_t panel, const ft_activations *x, ft_rows rows, float *out) {
    size_t first = panel * ROW_LANES, count = ft_min_size(ROW_LANES, w->rows - first), bytes = ft_row_bytes(w);
    size_t block_elements = ft_block_elements(w->type), block_bytes = ft_block_bytes(w->type);
    size_t outputs = (rows.last - rows.first) * ROW_LANES;
    ft_panel_kernel kernel = panel_kernel(isa, FT_F32);
    memset(out, 0, outputs * sizeof(float));
    for (size_t start = 0; start < w->columns; start += FT_CHUNK) {
        size_t columns = ft_min_size(FT_CHUNK, w->columns - start);
        float values[FT_CHUNK], chunk[FT_CHUNK * ROW_LANES] = {0}, sums[ROW_BLOCK * ROW_LANES];
        for (size_t lane = 0; lane < count; lane++) {
            const uint8_t *source = w->data + (first + lane) * bytes + start / block_elements * block_bytes;
            ft_decode_row(w->type, source, values, columns);
            for (size_t k = 0; k < columns; k++)
                chunk[k * ROW_LANES + lane] = values[k];
        }
        ft_weights as_floats = {FT_F32, ROW_LANES, ROW_LANES, columns, (const uint8_t *)chunk};
        ft_activations here = *x;
        here.values += start;
        here.columns = columns;
        kernel(&as_floats, as_floats.data, &here, rows, sums);
        for (size_t i = 0; i < outputs; i++)
            out[i] = out[i] + sums[i];
    }
}

// All lanes of a panel for up to ROW_BLOCK rows, [row][lane].
static void whole_panel(
    ft_isa isa, const ft_weights *w, size_t panel, const ft_activations *x, ft_rows rows, float *out) {
    if (w->lanes == 0)
        plain_rows(isa, w, panel, x, rows, out);
    else
        panel_kernel(isa, w->type)(w, w->data + panel * panel_bytes(w), x, rows, out);
}

static void product_panels(ft_isa isa, const ft_product *p, size_t first, size_t last) {
    const ft_weights *w = &p->weights;
    float whole[ROW_BLOCK * FT_MOST_LANES];
    for (size_t r = 0; r < p->x->rows; r += ROW_BLOCK) {
        ft_rows rows = {r, ft_min_size(r + ROW_BLOCK, p->x->rows)};
        for (size_t panel = first; panel < last; panel++) {
            size_t begin = panel * lanes_of(w), lanes = ft_min_size(lanes_of(w), w->rows - begin);
            whole_panel(isa, w, panel, p->x, rows, whole);
            for (size_t i = 0; i < rows.last - rows.first; i++)
                memcpy(p->out + (r + i) * p->stride + begin, whole + i * lanes_of(w), lanes * sizeof(float));
        }
    }
}

typedef struct {
    ft_isa isa;
    const ft_product *products;
    size_t count;
    const uint32_t *ids;
    size_t id_count;
} job;

static size_t panels_per_item(const ft_weights *w) { return ITEM_BYTES / (panel_bytes(w) + 1) + 1; }

static size_t item_count(const ft_weights *w) {
    return (panel_count(w) + panels_per_item(w) - 1) / panels_per_item(w);
}

static void run_item(void *context, size_t item) {
    const job *j = context;
    for (size_t i = 0; i < j->count; i++) {
        const ft_weights *w = &j->products[i].weights;
        size_t items = item_count(w), step = panels_per_item(w);
        if (item < items) {
            product_panels(j->isa, &j->products[i], item * step, ft_min_size((item + 1) * step, panel_count(w)));
            return;
        }
        item -= items;
    }
}

void ft_product_run(ft_isa isa, ft_pool *pool, const ft_product *products, size_t count) {
    size_t items = 0;
    for (size_t i = 0; i < count; i++)
        items += item_count(&products[i].weights);
    job j = {isa, products, count, NULL, 0};
    ft_pool_run(pool, items, run_item, &j);
}

enum { CHOSEN_PER_ITEM = 8 };

static void run_chosen(void *context, size_t item) {
    const job *j = context;
    const ft_product *p = j->products;
    const ft_weights *w = &p->weights;
    size_t end = ft_min_size((item + 1) * CHOSEN_PER_ITEM, j->id_count);
    for (size_t r = 0; r < p->x->rows; r += ROW_BLOCK) {
        ft_rows rows = {r, ft_min_size(r + ROW_BLOCK, p->x->rows)};
        float whole[ROW_BLOCK * FT_MOST_LANES];
        size_t held = SIZE_MAX;
        for (size_t i = item * CHOSEN_PER_ITEM; i < end; i++) {
            size_t panel = j->ids[i] / lanes_of(w), lane = j->ids[i] % lanes_of(w);
            if (panel != held)
                whole_panel(j->isa, w, panel, p->x, rows, whole);
            held = panel;
            for (size_t row = rows.first; row < rows.last; row++)
                p->out[row * p->stride + i] = whole[(row - rows.first) * lanes_of(w) + lane];
        }
    }
}

void ft_product_chosen(ft_isa isa, ft_pool *pool, const ft_product *product, const uint32_t *ids, size_t id_count) {
    job j = {isa, product, 1, ids, id_count};
    ft_pool_run(pool, (id_count + CHOSEN_PER_ITEM - 1) / CHOSEN_PER_ITEM, run_chosen, &j);
}
