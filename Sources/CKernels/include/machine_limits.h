#ifndef FORETOKEN_MACHINE_LIMITS_H
#define FORETOKEN_MACHINE_LIMITS_H

#include "instruction_set.h"
#include <stddef.h>
#include <stdint.h>

// What the machine can do at most, for reports to hold the kernels against.

// Reads all of the memory once; the result depends on every word, so that no read can be left out.
uint64_t ft_read_memory(const void *memory, size_t bytes);

// Multiplies pairs of bytes and adds the products up, from registers alone, `rounds` times. Returns how many
// multiply-adds that were; `sink` receives something that depends on all of them.
uint64_t ft_multiply_bytes(ft_isa isa, uint64_t rounds, int32_t *sink);

#endif
