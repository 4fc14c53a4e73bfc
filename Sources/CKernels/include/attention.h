#ifndef FORETOKEN_ATTENTION_H
#define FORETOKEN_ATTENTION_H

#include "instruction_set.h"
#include <stddef.h>
#include <stdint.h>

// How a cache holds keys and values. A record is one position's key or value of one head, `head_size` elements
// padded with zeros to a multiple of 8.
typedef enum {
    FT_CACHE_F32 = 0,
    FT_CACHE_F16 = 1,
    // Blocks of 32 (the last may be shorter): first all scales in float, then all elements as signed bytes.
    FT_CACHE_Q8 = 2,
} ft_cache_type;

// Positions are summed in blocks of this many, cut at its multiples.
#define FT_ATTENTION_BLOCK 64

// One row's attention in the heads that share one key/value head.
typedef struct {
    ft_cache_type type;
    size_t head_size; // padded
    // Records of this layer and head by slot, `stride` bytes apart.
    const void *keys;
    const void *values;
    size_t stride;
    // The row's path: position t lies in slot t while t < settled, then in slot settled + path[t - settled].
    size_t settled;
    const int32_t *path;
    // Positions seen: first ..< end.
    size_t first;
    size_t end;
    size_t group;       // query heads
    const float *query; // [group][head_size], padded with zeros
    float scale;        // of query . key
    float cap;          // soft cap of the scaled score; 0: none
    float *out;         // [group][head_size]
} ft_attention_row;

typedef struct {
    // Softmax of the scores over the path, then the weighted sum of values. The order of every sum follows positions,
    // in blocks cut at multiples of FT_ATTENTION_BLOCK, so neither slots nor other rows change a bit.
    void (*attend)(const ft_attention_row *row);
    // Writes one record from `head_size` floats (not padded).
    void (*store)(ft_cache_type type, void *record, const float *x, size_t head_size);
} ft_attention_kernels;

const ft_attention_kernels *ft_attention_kernels_for(ft_isa isa);

static inline size_t ft_cache_padded(size_t head_size) { return (head_size + 7) / 8 * 8; }

static inline size_t ft_cache_record_bytes(ft_cache_type type, size_t head_size) {
    size_t padded = ft_cache_padded(head_size);
    switch (type) {
    case FT_CACHE_F32:
        return padded * 4;
    case FT_CACHE_F16:
        return padded * 2;
    case FT_CACHE_Q8:
        return padded + (padded + 31) / 32 * 4;
    }
    return 0;
}

// A pass's rows through one layer's attention.
typedef struct {
    const ft_attention_kernels *kernels;
    ft_cache_type type;
    size_t head_size; // not padded
    size_t heads;
    size_t shared_heads; // key/value heads; heads / shared_heads query heads read each
    const void *keys;    // of this layer, [shared head][slot]
    const void *values;
    size_t head_stride; // bytes from one head's records to the next one's
    size_t settled;
    // By row: its depth below the settled positions, from 1, and where its path starts in `paths`.
    const int64_t *depths;
    const int64_t *path_starts;
    const int32_t *paths;
    size_t window; // positions seen, the row's own included; 0: all
    const float *queries; // row r at r * query_stride floats, [heads][head_size]
    size_t query_stride;
    float *out; // row r at r * out_stride floats
    size_t out_stride;
    float scale;
    float cap;
} ft_attention_pass;

// One row and key/value head of a pass: item = row * shared_heads + head. Items are independent of each other.
void ft_attention_item(void *pass, size_t item);

#endif
