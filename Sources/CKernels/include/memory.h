#ifndef FORETOKEN_MEMORY_H
#define FORETOKEN_MEMORY_H

#include <stddef.h>

// Zeroed memory aligned to at least 64 bytes, from whole pages of its own when it is large, which are then asked to
// be huge. NULL when the system refuses.
void *ft_allocate(size_t bytes);
void ft_release(void *memory, size_t bytes);

#endif
