#ifndef FT_FUZZER_H
#define FT_FUZZER_H

#include <stddef.h>
#include <stdint.h>

/// libFuzzer's main loop, in the compiler's run-time library.
int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*callback)(const uint8_t *data, size_t size));

#endif
