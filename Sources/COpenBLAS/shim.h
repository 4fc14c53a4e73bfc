#include <cblas.h>

// Debian's OpenBLAS exports LAPACK's Fortran symbols without a header for them.
void spotrf_(const char *uplo, const int *n, float *a, const int *lda, int *info);
void spotri_(const char *uplo, const int *n, float *a, const int *lda, int *info);
