/* hapgop-bench model: whole networks, answers or training steps. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../tools/args.h"
#include "base/error.h"
#include "bench.h"
#include "hapgop/optim.h"
#include "measure.h"

static const char about[] =
    "Measures a network: the answer to a batch in eval mode, compiled for inference (hg_compile), or a training step\n"
    "(forward, cross entropy, backward, Adam). The images lie on the device. The first answer counts from the start\n"
    "of the process, compilation included; the median and the least are of later ones, from the call until the queue\n"
    "is empty.";

typedef enum mode { INFER, TRAIN } mode;
static const char *const modes[] = {"infer", "train", NULL};

typedef struct settings {
    const hg_model_info *network;
    const char *device, *json;
    int mode;
    bool plain;
    int64_t batch;
    double seconds;
} settings;

/* A network at work. */
typedef struct job {
    const settings *s;
    hg_device *dev;
    hg_module *net, *compiled;  /* compiled: what answers; NULL: net itself */
    hg_optimizer *opt;
    hg_tensor *images, *labels;
} job;

typedef struct figures {
    double first_ms, ms_median, ms_min;
    int runs;
    uint64_t peak_bytes;
} figures;

static hg_status answer(job *j)
{
    hg_no_grad_begin();
    hg_tensor *y = hg_forward(j->compiled ? j->compiled : j->net, j->images);
    hg_no_grad_end();
    return hg_ok(y) ? HG_OK : hg_last_status();
}

static hg_status train_step(job *j)
{
    hg_tensor *loss = hg_cross_entropy(hg_forward(j->net, j->images), j->labels, NULL);
    hg_zero_grad(j->opt);
    HG_TRY(hg_backward(loss));
    return hg_step(j->opt);
}

static hg_status work(void *user)
{
    job *j = user;
    hg_scope *scope = hg_scope_begin(j->dev);
    hg_status status = j->s->mode == TRAIN ? train_step(j) : answer(j);
    hg_scope_end(scope);
    return status;
}

/* Seconds since the process began, by /proc; since the call if that cannot be read. */
static double process_age_ms(void)
{
    unsigned long long start;
    struct timespec now;
    FILE *file = fopen("/proc/self/stat", "r");
    int found = file ? fscanf(file,
                              "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d "
                              "%*d %llu",
                              &start)
                     : 0;
    if (file) fclose(file);
    if (found != 1 || clock_gettime(CLOCK_BOOTTIME, &now)) return 0;
    return 1e3 * (double)now.tv_sec + 1e-6 * (double)now.tv_nsec -
           1e3 * (double)start / (double)sysconf(_SC_CLK_TCK);
}

static hg_status make_job(job *j)
{
    const hg_model_info *n = j->s->network;
    int64_t batch = j->s->batch;
    j->net = hg_model(j->dev, n->name, NULL);
    if (!j->net) return hg_last_status();
    hg_train(j->net, j->s->mode == TRAIN);
    if (j->s->mode == INFER && !j->s->plain && !(j->compiled = hg_compile(j->net, NULL))) return hg_last_status();
    j->images = hg_randn(j->dev, HG_SHAPE(batch, n->channels, n->height, n->width));
    j->labels = hg_randint(j->dev, 0, n->classes, HG_SHAPE(batch));
    if (!hg_ok(j->images) || !hg_ok(j->labels)) return hg_last_status();
    if (j->s->mode == TRAIN && !(j->opt = hg_adam(j->net, NULL))) return hg_last_status();
    return HG_OK;
}

static void free_job(job *j)
{
    hg_optimizer_free(j->opt);
    hg_module_free(j->compiled);
    hg_module_free(j->net);
    if (j->images) hg_release(j->images);
    if (j->labels) hg_release(j->labels);
    hg_device_close(j->dev);
}

/* What is measured is right: the compiled network answers as the plain one does, to 1e-5 of the largest value, and a
 * trained one gives finite numbers. */
static hg_status compare_answers(job *j)
{
    hg_tensor *plain = hg_forward(j->net, j->images), *given = j->compiled ? hg_forward(j->compiled, j->images) : plain;
    double largest = hg_item(hg_max(hg_abs(plain))), off = hg_item(hg_max(hg_abs(hg_sub(given, plain))));
    if (!hg_ok(given) || hg_last_status() != HG_OK) return hg_last_status();
    if (isfinite(largest) && off <= 1e-5 * largest) return HG_OK;
    return hg_error(HG_E_STATE, "%s: a wrong answer: its largest value is %g, and it is off by %g", j->s->network->name,
                    largest, off);
}

static hg_status check_answer(job *j)
{
    hg_scope *scope = hg_scope_begin(j->dev);
    hg_no_grad_begin();
    hg_status status = compare_answers(j);
    hg_no_grad_end();
    hg_scope_end(scope);
    return status;
}

static hg_status measure(job *j, double age_ms, figures *f)
{
    enum { LEAST = 5, WARM_UP = 2 };
    bench_samples samples = {0};
    hg_memory_info memory;
    double ms, begin = bench_now_ms();
    HG_TRY(make_job(j));
    HG_TRY(bench_run_once(j->dev, work, j, &ms));
    f->first_ms = age_ms + bench_now_ms() - begin;
    hg_status status = HG_OK;
    for (int i = 0; i < WARM_UP && status == HG_OK; i++) status = bench_run_once(j->dev, work, j, &ms);
    while (status == HG_OK && !bench_stopped() && (samples.count < LEAST || samples.sum < 1e3 * j->s->seconds)) {
        status = bench_run_once(j->dev, work, j, &ms);
        if (status == HG_OK) status = bench_samples_add(&samples, ms);
    }
    if (status == HG_OK) status = hg_memory_get_info(j->dev, &memory);
    if (status == HG_OK) status = check_answer(j);
    if (status == HG_OK && samples.count) {
        f->ms_median = bench_quantile(&samples, 0.5);
        f->ms_min = bench_quantile(&samples, 0);
        f->runs = samples.count;
        f->peak_bytes = memory.peak;
    }
    bench_samples_free(&samples);
    return status;
}

static bool report(job *j, const figures *f)
{
    const settings *s = j->s;
    printf("%s, %s, batch %lld: first %.0f ms, then %.3f ms (least %.3f) in %d runs, %.1f images a second, %.1f MB\n",
           s->network->name, modes[s->mode], (long long)s->batch, f->first_ms, f->ms_median, f->ms_min, f->runs,
           1e3 * (double)s->batch / f->ms_median, 1e-6 * (double)f->peak_bytes);
    if (!s->json) return true;
    json_t *row = json_pack("{s:s,s:s,s:I,s:s,s:f,s:f,s:f,s:f,s:I,s:i}", "network", s->network->name, "mode",
                            modes[s->mode], "batch", (json_int_t)s->batch, "status", "ok", "first_ms", f->first_ms,
                            "ms_median", f->ms_median, "ms_min", f->ms_min, "images_per_second",
                            1e3 * (double)s->batch / f->ms_median, "peak_device_bytes", (json_int_t)f->peak_bytes,
                            "runs", f->runs);
    return bench_write_json(json_pack("{s:o,s:[o]}", "device", bench_device_json(j->dev, NULL), "results", row),
                            s->json);
}

static int run(const settings *s)
{
    job j = {.s = s};
    figures f = {0};
    double age = process_age_ms(), begin = bench_now_ms();
    if (!bench_can_write(s->json)) return 1;
    bench_catch_stop();
    j.dev = hg_device_open(s->device);
    hg_status status = j.dev ? measure(&j, age + bench_now_ms() - begin, &f) : hg_last_status();
    if (status != HG_OK) bench_complain("model");
    bool written = status == HG_OK && f.runs && report(&j, &f);
    free_job(&j);
    return status != HG_OK || (f.runs && !written) ? 1 : bench_stopped() ? 130 : 0;
}

/* Lines "  name  what it is". */
static void list_networks(char *out, size_t size)
{
    int count;
    const hg_model_info *all = hg_models(&count);
    for (int i = 0; i < count; i++) {
        size_t used = strlen(out);
        snprintf(out + used, size - used, "\n  %-12s %lldx%lldx%lld  %s", all[i].name, (long long)all[i].channels,
                 (long long)all[i].height, (long long)all[i].width, all[i].about);
    }
}

int model_main(int argc, char **argv)
{
    settings s = {.batch = 1, .seconds = 2};
    char text[2000];
    snprintf(text, sizeof text, "%s\n\nnetworks, and the images they take:", about);
    list_networks(text, sizeof text);
    arg_option options[] = {
        {"mode", ARG_CHOICE, &s.mode, NULL, "default: infer", .choices = modes},
        {"plain", ARG_FLAG, &s.plain, .help = "answer by the modules as they are, not compiled for inference"},
        {"batch", ARG_INT, &s.batch, "N", "images at a time; default 1", 1, 65536},
        {"seconds", ARG_REAL, &s.seconds, "S", "of measuring; default 2", 0, 3600},
        {"device", ARG_TEXT, &s.device, "SPEC", "as hapgop devices names them"},
        {"json", ARG_TEXT, &s.json, "FILE", "write the results as JSON"},
    };
    arg_command command = {"model", "NETWORK [OPTIONS]", text, options, sizeof options / sizeof *options,
                           BENCH_PROGRAM};
    const char *rest[argc];
    int count;
    arg_result parsed = args_parse(&command, argc, argv, rest, &count);
    if (parsed != ARGS_OK) return parsed == ARGS_HELP ? 0 : 2;
    s.network = count == 1 ? hg_model_find(rest[0]) : NULL;
    if (!count) args_complain(&command, "a network is missing");
    else if (count > 1) args_complain(&command, "unknown argument %s", rest[1]);
    else if (!s.network) args_complain(&command, "%s", hg_last_error());
    return s.network ? run(&s) : 2;
}
