#ifndef FT_SYSTEM_H
#define FT_SYSTEM_H

#include <stddef.h>
#include <stdint.h>

// Linux calls that glibc declares only with _GNU_SOURCE, which Swift's Glibc module does not define.

/// Reserves disk space; 0, or an errno.
int ft_reserve(int descriptor, int64_t byte_count);

/// Starts writing a range of a file to the disk without waiting. A hint: failure is of no consequence.
void ft_start_writeback(int descriptor, int64_t offset, int64_t byte_count);

/// Maps the pages of a range that are in memory or can be read, in one call. A hint.
void ft_populate(const void *address, size_t byte_count);

#endif
