/* Times OpenBLAS's sgemm, C = A B, row-major, and prints what `hapgop-bench gemm --json` prints.
 *   openblas_gemm --shape MxNxK ...    A is M x K, B is K x N
 * OPENBLAS_NUM_THREADS sets the threads. Milliseconds of the wall clock, each call timed by itself after a warm-up,
 * for at least a third of a second and ten calls. Data are small integers, so that the sums are exact: entries of C
 * are recomputed and compared, and a wrong one is an error. */
#include <cblas.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WARM_UP = 3, MIN_CALLS = 10, MAX_CALLS = 2000, MAX_SIZE = 1 << 15, CHECKED = 64 };
static const double MIN_SECONDS = 0.33;

typedef struct problem { int m, n, k; float *a, *b, *c; } problem;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Integers -2..2 from a linear congruential generator. */
static void fill(float *x, size_t count, uint32_t seed)
{
    for (size_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        x[i] = (float)((int)((seed >> 16) % 5) - 2);
    }
}

static bool right(const problem *p)
{
    for (int i = 0; i < CHECKED; i++) {
        size_t row = (size_t)i * 7919 % (size_t)p->m, column = (size_t)i * 104729 % (size_t)p->n;
        float sum = 0;
        for (int j = 0; j < p->k; j++) sum += p->a[row * (size_t)p->k + j] * p->b[(size_t)j * p->n + column];
        if (p->c[row * (size_t)p->n + column] != sum) return false;
    }
    return true;
}

static void multiply(const problem *p)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, p->m, p->n, p->k, 1, p->a, p->k, p->b, p->n, 0, p->c, p->n);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void time_and_print(const problem *p, bool first)
{
    static double ms[MAX_CALLS];
    for (int i = 0; i < WARM_UP; i++) multiply(p);
    int calls = 0;
    for (double start = now(); calls < MAX_CALLS && (calls < MIN_CALLS || now() - start < MIN_SECONDS); calls++) {
        double before = now();
        multiply(p);
        ms[calls] = 1e3 * (now() - before);
    }
    qsort(ms, (size_t)calls, sizeof *ms, ascending);
    double median = (ms[(calls - 1) / 2] + ms[calls / 2]) / 2;
    printf("%s{\"problem\":\"%dx%dx%d\",\"algorithm\":\"openblas\",\"ms_median\":%.6f,\"ms_min\":%.6f,\"gflops\":%.2f}",
           first ? "" : ",", p->m, p->n, p->k, median, ms[0], 2e-6 * p->m * p->n * p->k / median);
}

static int run(int m, int n, int k, bool first)
{
    problem p = {m, n, k, NULL, NULL, NULL};
    size_t a = (size_t)m * k, b = (size_t)k * n, c = (size_t)m * n;
    int status = 1;
    p.a = aligned_alloc(64, (a * sizeof(float) + 63) / 64 * 64);
    p.b = aligned_alloc(64, (b * sizeof(float) + 63) / 64 * 64);
    p.c = aligned_alloc(64, (c * sizeof(float) + 63) / 64 * 64);
    if (!p.a || !p.b || !p.c) {
        fprintf(stderr, "openblas_gemm: out of memory for %dx%dx%d\n", m, n, k);
        goto out;
    }
    fill(p.a, a, 1);
    fill(p.b, b, 2);
    memset(p.c, 0xff, c * sizeof(float));
    multiply(&p);
    if (!right(&p)) {
        fprintf(stderr, "openblas_gemm: OpenBLAS's product is wrong at %dx%dx%d\n", m, n, k);
        goto out;
    }
    time_and_print(&p, first);
    status = 0;
out:
    free(p.a);
    free(p.b);
    free(p.c);
    return status;
}

static bool parse(const char *text, int size[3])
{
    int end = -1;
    if (sscanf(text, "%5dx%5dx%5d%n", &size[0], &size[1], &size[2], &end) != 3 || text[end]) return false;
    for (int i = 0; i < 3; i++) {
        if (size[i] < 1 || size[i] > MAX_SIZE) return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    if (argc < 3 || argc % 2 == 0) {
        fprintf(stderr, "usage: openblas_gemm --shape MxNxK ...\n");
        return 2;
    }
    for (int i = 1; i < argc; i += 2) {
        int size[3];
        if (strcmp(argv[i], "--shape") || !parse(argv[i + 1], size)) {
            fprintf(stderr, "openblas_gemm: %s %s: expected --shape MxNxK, each from 1 to %d\n", argv[i], argv[i + 1],
                    MAX_SIZE);
            return 2;
        }
    }
    printf("{\"device\":{\"name\":\"%s\",\"library\":\"%s\",\"threads\":%d},\"results\":[", openblas_get_corename(),
           openblas_get_config(), openblas_get_num_threads());
    for (int i = 1; i < argc; i += 2) {
        int size[3];
        if (!parse(argv[i + 1], size) || run(size[0], size[1], size[2], i == 1)) return 1;
    }
    printf("]}\n");
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
