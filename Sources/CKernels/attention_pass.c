#include "attention.h"

#include <string.h>

void ft_attention_item(void *context, size_t item) {
    const ft_attention_pass *pass = context;
    size_t index = item / pass->shared_heads, shared = item % pass->shared_heads;
    size_t group = pass->heads / pass->shared_heads, size = pass->head_size, padded = ft_cache_padded(size);
    const float *query = pass->queries + index * pass->query_stride + shared * group * size;
    float *out = pass->out + index * pass->out_stride + shared * group * size;
    size_t end = pass->settled + (size_t)pass->depths[index];
    ft_attention_row row = {
        .type = pass->type,
        .head_size = padded,
        .keys = (const char *)pass->keys + shared * pass->head_stride,
        .values = (const char *)pass->values + shared * pass->head_stride,
        .stride = ft_cache_record_bytes(pass->type, size),
        .settled = pass->settled,
        .path = pass->paths + pass->path_starts[index],
        .first = pass->window && end > pass->window ? end - pass->window : 0,
        .end = end,
        .group = group,
        .query = query,
        .scale = pass->scale,
        .cap = pass->cap,
        .out = out,
    };
    if (padded == size) {
        pass->kernels->attend(&row);
        return;
    }
    float queries[group * padded], results[group * padded];
    memset(queries, 0, sizeof queries);
    for (size_t head = 0; head < group; head++)
        memcpy(queries + head * padded, query + head * size, size * sizeof(float));
    row.query = queries;
    row.out = results;
    pass->kernels->attend(&row);
    for (size_t head = 0; head < group; head++)
        memcpy(out + head * size, results + head * padded, size * sizeof(float));
}
