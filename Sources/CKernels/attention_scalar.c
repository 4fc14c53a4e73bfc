#include "vector_sets.h"

#include <math.h>
#include <string.h>

#pragma STDC FP_CONTRACT OFF

static float element(ft_cache_type type, const void *record, size_t i, size_t padded) {
    switch (type) {
    case FT_CACHE_F32:
        return ((const float *)record)[i];
    case FT_CACHE_F16:
        return (float)((const _Float16 *)record)[i];
    case FT_CACHE_Q8: {
        size_t blocks = (padded + 31) / 32;
        const int8_t *elements = (const int8_t *)((const float *)record + blocks);
        return (float)elements[i] * ((const float *)record)[i / 32];
    }
    }
    return 0;
}

static const char *slot_of(const ft_attention_row *row, const void *base, size_t t) {
    size_t slot = t < row->settled ? t : row->settled + (size_t)row->path[t - row->settled];
    return (const char *)base + slot * row->stride;
}

// The block-wise softmax of Milakov and Gimelshein (arXiv 1805.02867), a head at a time.
static void attend(const ft_attention_row *row) {
    size_t d = row->head_size;
    for (size_t head = 0; head < row->group; head++) {
        const float *query = row->query + head * d;
        float *out = row->out + head * d;
        float maximum = -INFINITY, sum = 0, scores[FT_ATTENTION_BLOCK];
        memset(out, 0, d * sizeof(float));
        for (size_t start = row->first; start < row->end;) {
            size_t stop = (start / FT_ATTENTION_BLOCK + 1) * FT_ATTENTION_BLOCK;
            if (stop > row->end) stop = row->end;
            float largest = maximum;
            for (size_t t = start; t < stop; t++) {
                const char *key = slot_of(row, row->keys, t);
                float score = 0;
                for (size_t i = 0; i < d; i++) score = fmaf(query[i], element(row->type, key, i, d), score);
                score *= row->scale;
                if (row->cap > 0) score = row->cap * tanhf(score / row->cap);
                scores[t - start] = score;
                if (score > largest) largest = score;
            }
            float correction = expf(maximum - largest);
            maximum = largest;
            sum *= correction;
            for (size_t i = 0; i < d; i++) out[i] *= correction;
            for (size_t t = start; t < stop; t++) {
                const char *value = slot_of(row, row->values, t);
                float weight = expf(scores[t - start] - maximum);
                sum += weight;
                for (size_t i = 0; i < d; i++) out[i] = fmaf(weight, element(row->type, value, i, d), out[i]);
            }
            start = stop;
        }
        for (size_t i = 0; i < d; i++) out[i] /= sum;
    }
}

static void store(ft_cache_type type, void *record, const float *x, size_t head_size) {
    size_t padded = ft_cache_padded(head_size);
    memset(record, 0, ft_cache_record_bytes(type, head_size));
    switch (type) {
    case FT_CACHE_F32:
        memcpy(record, x, head_size * sizeof(float));
        break;
    case FT_CACHE_F16:
        for (size_t i = 0; i < head_size; i++) ((_Float16 *)record)[i] = (_Float16)x[i];
        break;
    case FT_CACHE_Q8: {
        float *scales = record;
        int8_t *elements = (int8_t *)(scales + (padded + 31) / 32);
        for (size_t start = 0; start < head_size; start += 32) {
            size_t stop = start + 32 < head_size ? start + 32 : head_size;
            float largest = 0;
            for (size_t i = start; i < stop; i++) {
                float size = fabsf(x[i]);
                if (!(size <= largest)) largest = size; // NaN must stay visible
            }
            scales[start / 32] = largest / 127;
            if (!(largest > 0)) continue;
            float inverse = 127 / largest;
            for (size_t i = start; i < stop; i++) elements[i] = (int8_t)lrintf(x[i] * inverse);
        }
        break;
    }
    }
}

const ft_attention_kernels ft_attention_scalar = {attend, store};
