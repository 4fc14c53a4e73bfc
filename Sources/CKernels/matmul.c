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

// Weights that one thread takes at a time, at most: they stay in the second-level cache while blocks of rows pass by.
// Small matrices are cut finer, so that threads end together; an item costs a twentieth of a microsecond.
enum { MOST_ITEM_BYTES = 48 << 10, LEAST_ITEM_BYTES = 4 << 10, ITEMS_PER_THREAD = 4 };

// Bytes of weights times rows that the caller multiplies sooner than another thread has heard of them.
enum { ALONE_BYTES = 64 << 10 };

// Plain rows are taken as many at a time.
enum { ROW_LANES = 8 };

static size_t lanes_of(const ft_weights *w) { return w->lanes ? w->lanes : ROW_LANES; }

static size_t panel_count(const ft_weights *w) { return (w->rows + lanes_of(w) - 1) / lanes_of(w); }

// What an item of a job finds out once for all its panels.
typedef struct {
    ft_isa isa;
    const ft_weights *w;
    size_t lanes, panel_bytes;
    ft_panel_kernel kernel; // NULL for plain rows
} panels;

static panels panels_of(ft_isa isa, const ft_weights *w) {
    if (w->lanes == 0)
        return (panels){isa, w, ROW_LANES, ROW_LANES * ft_row_bytes(w), NULL};
    return (panels){isa, w, w->lanes, ft_panel_bytes(w->type, w->lanes, w->columns), panel_kernel(isa, w->type)};
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
static void whole_panel(const panels *p, size_t panel, const ft_activations *x, ft_rows rows, float *out) {
    if (p->kernel)
        p->kernel(p->w, p->w->data + panel * p->panel_bytes, x, rows, out);
    else
        plain_rows(p->isa, p->w, panel, x, rows, out);
}

static void product_panels(const panels *p, const ft_product *product, size_t first, size_t last) {
    const ft_activations *x = product->x;
    float whole[ROW_BLOCK * FT_MOST_LANES];
    for (size_t r = 0; r < x->rows; r += ROW_BLOCK) {
        ft_rows rows = {r, ft_min_size(r + ROW_BLOCK, x->rows)};
        for (size_t panel = first; panel < last; panel++) {
            size_t begin = panel * p->lanes, lanes = ft_min_size(p->lanes, p->w->rows - begin);
            float *out = product->out + r * product->stride + begin;
            if (x->rows == 1 && lanes == p->lanes) { // nothing lies between the outputs
                whole_panel(p, panel, x, rows, out);
                continue;
            }
            whole_panel(p, panel, x, rows, whole);
            for (size_t i = 0; i < rows.last - rows.first; i++)
                memcpy(out + i * product->stride, whole + i * p->lanes, lanes * sizeof(float));
        }
    }
}

typedef struct {
    ft_isa isa;
    const ft_product *products;
    size_t count;
    size_t item_bytes;
    const uint32_t *ids;
    size_t id_count;
} job;

// How a product's panels are cut into items.
typedef struct {
    panels panels;
    size_t count, step, items;
} cut;

static cut cut_of(const job *j, size_t product) {
    const ft_weights *w = &j->products[product].weights;
    panels p = panels_of(j->isa, w);
    size_t count = panel_count(w), step = j->item_bytes / (p.panel_bytes + 1) + 1;
    return (cut){p, count, step, (count + step - 1) / step};
}

static void run_item(void *context, size_t item) {
    const job *j = context;
    for (size_t i = 0; i < j->count; i++) {
        cut c = cut_of(j, i);
        if (item < c.items) {
            product_panels(
                &c.panels, &j->products[i], item * c.step, ft_min_size((item + 1) * c.step, c.count));
            return;
        }
        item -= c.items;
    }
}

void ft_product_run(ft_isa isa, ft_pool *pool, const ft_product *products, size_t count) {
    job j = {isa, products, count, MOST_ITEM_BYTES, NULL, 0};
    size_t bytes = 0, items = 0, threads = ft_pool_threads(pool);
    for (size_t i = 0; i < count; i++)
        bytes += panel_count(&products[i].weights) * panels_of(isa, &products[i].weights).panel_bytes;
    if (count > 0 && bytes * products->x->rows <= ALONE_BYTES) {
        for (size_t i = 0; i < count; i++) {
            panels p = panels_of(isa, &products[i].weights);
            product_panels(&p, &products[i], 0, panel_count(p.w));
        }
        return;
    }
    bytes /= ITEMS_PER_THREAD * threads;
    j.item_bytes = bytes < LEAST_ITEM_BYTES ? LEAST_ITEM_BYTES : ft_min_size(bytes, MOST_ITEM_BYTES);
    for (size_t i = 0; i < count; i++)
        items += cut_of(&j, i).items;
    ft_pool_run(pool, items, run_item, &j);
}

enum { CHOSEN_PER_ITEM = 8 };

static void run_chosen(void *context, size_t item) {
    const job *j = context;
    const ft_product *product = j->products;
    panels p = panels_of(j->isa, &product->weights);
    size_t end = ft_min_size((item + 1) * CHOSEN_PER_ITEM, j->id_count);
    for (size_t r = 0; r < product->x->rows; r += ROW_BLOCK) {
        ft_rows rows = {r, ft_min_size(r + ROW_BLOCK, product->x->rows)};
        float whole[ROW_BLOCK * FT_MOST_LANES];
        size_t held = SIZE_MAX;
        for (size_t i = item * CHOSEN_PER_ITEM; i < end; i++) {
            size_t panel = j->ids[i] / p.lanes, lane = j->ids[i] % p.lanes;
            if (panel != held)
                whole_panel(&p, panel, product->x, rows, whole);
            held = panel;
            for (size_t row = rows.first; row < rows.last; row++)
                product->out[row * product->stride + i] = whole[(row - rows.first) * p.lanes + lane];
        }
    }
}

void ft_product_chosen(ft_isa isa, ft_pool *pool, const ft_product *product, const uint32_t *ids, size_t id_count) {
    job j = {isa, product, 1, 0, ids, id_count};
    ft_pool_run(pool, (id_count + CHOSEN_PER_ITEM - 1) / CHOSEN_PER_ITEM, run_chosen, &j);
}
