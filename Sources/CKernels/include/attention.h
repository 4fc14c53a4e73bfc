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
    float *scratch;     // ft_attention_scratch(group) floats
} ft_attention_row;

typedef struct {
    // Softmax of the scores over the path, then the weighted sum of values. The order of every sum follows positions,
    // in blocks cut at multiples of FT_ATTENTION_BLOCK, so neither slots nor other rows change a bit.
    void (*attend)(const ft_attention_row *row);
    // Writes one record from `head_size` floats (not padded).
    void (*store)(ft_cache_type type, void *record, const float *x, size_t head_size);
} ft_attention_kernels;

const ft_attention_kernels *ft_attention_kernels_for(ft_isa isa);

static inline size_t ft_attention_scratch(size_t group) { return group * (FT_ATTENTION_BLOCK + 2); }

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

#endif
