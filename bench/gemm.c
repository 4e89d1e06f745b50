/* hapgop-bench gemm: matrix products, packing included. */
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "blas/gemm.h"

enum { MAX_SHAPES = 64 };

static const char help[] = "usage: hapgop-bench gemm [OPTIONS]\n\n"
                           "Times products of an MxK by a KxN matrix, f32.\n\n"
                           "  --shape MxNxK     a product, may be repeated; default: what networks need, and squares\n"
                           "  --trans nn        n or t for each operand: t lies transposed in memory\n"
                           "  --device SPEC     as hapgop devices counts them: gpu, cpu, pocl, a part of the name\n"
                           "  --seconds S       time for each product; default 0.5\n"
                           "  --json FILE       the results as JSON too\n";

typedef struct shape {
    long long m, n, k;
} shape;

typedef struct options {
    const char *device, *json, *trans;
    double seconds;
    shape shapes[MAX_SHAPES];
    int count;
    bool help;
} options;

typedef struct job {
    hg_device *dev;
    hg_gemm_problem problem;
} job;

static hg_status work(void *user)
{
    job *j = user;
    return hg_gemm(j->dev, &j->problem);
}

static bool add_shape(options *o, const char *text)
{
    shape s;
    char end;
    if (o->count == MAX_SHAPES || sscanf(text, "%lldx%lldx%lld%c", &s.m, &s.n, &s.k, &end) != 3 || s.m < 1 || s.n < 1 ||
        s.k < 1 || s.m > 1 << 24 || s.n > 1 << 24 || s.k > 1 << 24) {
        fprintf(stderr, "hapgop-bench gemm: --shape %s is no MxNxK with sizes of 1 to 2^24, at most %d of them\n", text,
                MAX_SHAPES);
        return false;
    }
    o->shapes[o->count++] = s;
    return true;
}

static bool parse(int argc, char **argv, options *o)
{
    bool bad = false;
    char end;
    for (int i = 1; i < argc && !bad; i++) {
        const char *value = NULL;
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
            o->help = true;
        else if ((value = bench_option("--device", argc, argv, &i, &bad)))
            o->device = value;
        else if ((value = bench_option("--json", argc, argv, &i, &bad)))
            o->json = value;
        else if ((value = bench_option("--trans", argc, argv, &i, &bad)))
            o->trans = value;
        else if ((value = bench_option("--shape", argc, argv, &i, &bad)))
            bad = !add_shape(o, value);
        else if ((value = bench_option("--seconds", argc, argv, &i, &bad)))
            bad = sscanf(value, "%lf%c", &o->seconds, &end) != 1 || !(o->seconds >= 0 && o->seconds <= 3600);
        else if (!bad)
            bad = fprintf(stderr, "hapgop-bench gemm: unknown option %s; see hapgop-bench gemm --help\n", argv[i]);
        if (bad && value) fprintf(stderr, "hapgop-bench gemm: cannot use the value %s\n", value);
    }
    if (!bad && (strlen(o->trans) != 2 || strspn(o->trans, "nt") != 2))
        bad = fprintf(stderr, "hapgop-bench gemm: --trans is nn, nt, tn or tt, not %s\n", o->trans);
    return !bad;
}

static hg_status run_shape(hg_device *dev, const shape *s, const char *trans, double seconds, json_t *results)
{
    int64_t elements[3] = {s->m * s->k, s->k * s->n, s->m * s->n};
    hg_block *blocks[3] = {0};
    hg_status status = HG_OK;
    bench_times t = {0};
    for (int i = 0; i < 3 && status == HG_OK; i++) {
        blocks[i] = hg_pool_take(dev, (size_t)elements[i] * sizeof(float));
        status = blocks[i] ? bench_fill(dev, blocks[i]->mem, elements[i]) : hg_last_status();
    }
    if (status == HG_OK) {
        bool ta = trans[0] == 't', tb = trans[1] == 't';
        job j = {dev,
                 {.trans_a = ta,
                  .trans_b = tb,
                  .m = s->m,
                  .n = s->n,
                  .k = s->k,
                  .batch = 1,
                  .alpha = 1,
                  .a = {blocks[0]->mem, 0, ta ? s->m : s->k, 0},
                  .b = {blocks[1]->mem, 0, tb ? s->k : s->n, 0},
                  .c = {blocks[2]->mem, 0, s->n, 0}}};
        status = bench_measure(dev, work, &j, seconds, &t);
        if (status == HG_OK) {
            char name[80];
            const char *algorithm = hg_gemm_algorithm(dev, &j.problem);
            double gflop = 2e-9 * (double)s->m * (double)s->n * (double)s->k;
            snprintf(name, sizeof name, "%lldx%lldx%lld", s->m, s->n, s->k);
            printf("%-20s %-5s %-10s %10.3f %10.3f %10.3f %9.1f\n", name, trans, algorithm, t.ms_median, t.ms_min,
                   t.device_ms, 1e3 * gflop / t.ms_median);
            json_array_append_new(results, json_pack("{s:s,s:s,s:s,s:f,s:f,s:f,s:f,s:i}", "problem", name, "trans",
                                                     trans, "algorithm", algorithm, "ms_median", t.ms_median, "ms_min",
                                                     t.ms_min, "device_ms", t.device_ms, "gflops",
                                                     1e3 * gflop / t.ms_median, "runs", t.runs));
        }
    }
    for (int i = 0; i < 3; i++) hg_pool_give(dev, blocks[i]);
    return status;
}

int gemm_main(int argc, char **argv)
{
    static const char *const usual[] = {"256x256x256",  "512x512x512",  "1024x1024x1024", "2048x2048x2048",
                                        "100x600x2304", "64x14400x288", "512x49x4608",    "64x288x14400",
                                        "120x600x100",  "100x10x120"};
    options o = {.trans = "nn", .seconds = 0.5};
    if (!parse(argc, argv, &o)) return 2;
    if (o.help) return fputs(help, stdout) == EOF;
    if (!o.count)
        for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) add_shape(&o, usual[i]);
    hg_device *dev = hg_device_open(o.device);
    json_t *results = json_array();
    hg_status status = dev ? HG_OK : hg_last_status();
    if (dev)
        printf("%s / %s\n%-20s %-5s %-10s %10s %10s %10s %9s\n", dev->info.platform, dev->info.name, "MxNxK", "trans",
               "algorithm", "median ms", "min ms", "device ms", "GFLOP/s");
    for (int i = 0; i < o.count && status == HG_OK; i++)
        status = run_shape(dev, &o.shapes[i], o.trans, o.seconds, results);
    if (status != HG_OK) fprintf(stderr, "hapgop-bench gemm: %s\n", hg_last_error());
    bool written = !dev || !o.json || bench_write(dev, json_incref(results), o.json);
    json_decref(results);
    hg_device_close(dev);
    return status != HG_OK || !written;
}
