/* hapgop-bench gemm: matrix products, packing included. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../tools/args.h"
#include "base/error.h"
#include "bench.h"
#include "blas/gemm.h"
#include "cl/transfer.h"
#include "measure.h"

typedef struct shape {
    long long m, n, k;
} shape;

typedef struct job {
    hg_device *dev;
    hg_gemm_problem problem;
} job;

static hg_status work(void *user)
{
    job *j = user;
    return hg_gemm(j->dev, &j->problem);
}

static bool parse_shape(const char *text, shape *s)
{
    const long long most = 1 << 24;
    char end;
    return sscanf(text, "%lldx%lldx%lld%c", &s->m, &s->n, &s->k, &end) == 3 && s->m >= 1 && s->n >= 1 && s->k >= 1 &&
           s->m <= most && s->n <= most && s->k <= most;
}

static hg_status fill(hg_device *dev, cl_mem mem, int64_t elements)
{
    float *values = malloc((size_t)elements * sizeof *values);
    if (!values) return hg_error(HG_E_MEMORY, "bench: out of host memory");
    bench_random(values, elements, 0);
    hg_status status = hg_upload(dev, mem, 0, values, (size_t)elements * sizeof *values);
    free(values);
    return status;
}

static hg_status run_shape(hg_device *dev, const shape *s, const char *trans, double seconds, json_t *results)
{
    int64_t elements[3] = {s->m * s->k, s->k * s->n, s->m * s->n};
    hg_block *blocks[3] = {0};
    hg_status status = HG_OK;
    bench_times t = {0};
    for (int i = 0; i < 3 && status == HG_OK; i++) {
        blocks[i] = hg_pool_take(dev, (size_t)elements[i] * sizeof(float));
        status = blocks[i] ? fill(dev, blocks[i]->mem, elements[i]) : hg_last_status();
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

static int run_all(const char *device, const char *trans, double seconds, const arg_list *shapes, const char *json)
{
    hg_device *dev = hg_device_open(device);
    json_t *results = json_array();
    hg_status status = dev ? HG_OK : hg_last_status();
    if (dev)
        printf("%s / %s\n%-20s %-5s %-10s %10s %10s %10s %9s\n", dev->info.platform, dev->info.name, "MxNxK", "trans",
               "algorithm", "median ms", "min ms", "device ms", "GFLOP/s");
    for (int i = 0; i < shapes->count && status == HG_OK; i++) {
        shape s;
        if (parse_shape(shapes->items[i], &s)) status = run_shape(dev, &s, trans, seconds, results);
    }
    if (status != HG_OK) bench_complain("gemm");
    bool written = !dev || !json ||
                   bench_write_json(json_pack("{s:o,s:O}", "device", bench_device_json(dev, NULL), "results", results),
                                    json);
    json_decref(results);
    hg_device_close(dev);
    return status != HG_OK || !written;
}

int gemm_main(int argc, char **argv)
{
    static const char *const usual[] = {"256x256x256",  "512x512x512",  "1024x1024x1024", "2048x2048x2048",
                                        "100x600x2304", "64x14400x288", "512x49x4608",    "64x288x14400",
                                        "120x600x100",  "100x10x120"};
    static const char *const layouts[] = {"nn", "nt", "tn", "tt", NULL};
    const char *device = NULL, *json = NULL;
    double seconds = 0.5;
    int trans = 0;
    arg_list shapes = {.count = 0};
    arg_option options[] = {
        {"shape", ARG_LIST, &shapes, "MxNxK", "a product, may be repeated; default: what networks need, and squares"},
        {"trans", ARG_CHOICE, &trans, NULL, "n or t for each operand: t lies transposed in memory", .choices = layouts},
        {"device", ARG_TEXT, &device, "SPEC", "as hapgop devices counts them: gpu, cpu, pocl, a part of the name"},
        {"seconds", ARG_REAL, &seconds, "S", "for each product; default 0.5", 0, 3600},
        {"json", ARG_TEXT, &json, "FILE", "write the results as JSON"},
    };
    arg_command command = {"gemm", "[OPTIONS]", "Times products of an MxK by a KxN matrix, f32.", options,
                           sizeof options / sizeof *options, BENCH_PROGRAM};
    const char *rest[argc];
    int count;
    shape s;
    arg_result parsed = args_parse(&command, argc, argv, rest, &count);
    if (parsed != ARGS_OK) return parsed == ARGS_HELP ? 0 : 2;
    if (count) args_complain(&command, "unknown argument %s", rest[0]);
    for (int i = 0; i < shapes.count && !count; i++) {
        if (parse_shape(shapes.items[i], &s)) continue;
        args_complain(&command, "--shape %s is no MxNxK with sizes of 1 to 2^24", shapes.items[i]);
        count++;
    }
    if (count) return 2;
    if (!shapes.count)
        for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) shapes.items[shapes.count++] = usual[i];
    if (!bench_can_write(json)) return 1;
    return run_all(device, layouts[trans], seconds, &shapes, json);
}
