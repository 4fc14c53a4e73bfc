#define _GNU_SOURCE
#include "ft_system.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

int ft_reserve(int descriptor, int64_t byte_count) {
    int result;
    do {
        result = fallocate(descriptor, 0, 0, byte_count);
    } while (result != 0 && errno == EINTR);
    return result == 0 ? 0 : errno;
}

void ft_start_writeback(int descriptor, int64_t offset, int64_t byte_count) {
    (void)sync_file_range(descriptor, offset, byte_count, SYNC_FILE_RANGE_WRITE);
}

void ft_populate(const void *address, size_t byte_count) {
    (void)madvise((void *)address, byte_count, MADV_POPULATE_READ);
}
