/* What the user sees: the model, report lines, the progress line, the end; history.csv and curves.png. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/repr.h"
#include "output.h"
#include "run.h"
#include "train.h"

const train_evaluation *train_evaluation_at(const train_history *h, int64_t iteration)
{
    for (int64_t i = h->evaluation_count - 1; i >= 0 && h->evaluations[i].iteration >= iteration; i--) {
        if (h->evaluations[i].iteration == iteration) return &h->evaluations[i];
    }
    return NULL;
}

/* ---- On the terminal -------------------------------------------------------------------------------------------- */

void train_print_model(const train_run *run)
{
    if (run->o->quiet) return;
    char *text = hg_module_to_text(run->model);
    if (text) puts(text);
    free(text);
}

void train_print_report(const train_run *run)
{
    char loss[HG_REPR_SIZE], accuracy[HG_REPR_SIZE];
    hg_repr_double(run->history.loss[run->history.count - 1], loss);
    const train_evaluation *e = train_evaluation_at(&run->history, run->iteration);
    printf("Iteration: %" PRId64 ", Loss: %s", run->iteration, loss);
    if (e) {
        hg_repr_double(train_accuracy(e), accuracy);
        printf(", Accuracy: %s%%", accuracy);
    }
    putchar('\n');
}

static int64_t last_iteration(const train_run *run)
{
    int64_t all = run->o->epochs * hg_loader_length(run->train_loader);
    return run->o->iterations && run->o->iterations < all ? run->o->iterations : all;
}

void train_progress(train_run *run)
{
    double now = run_now();
    if (run->o->quiet || now - run->shown < 0.25 || !isatty(STDERR_FILENO)) return;
    run->shown = now;
    int64_t done = run->iteration - run->start - 1, last = last_iteration(run);
    double training = now - run->began - run->evaluating;
    int64_t left = (int64_t)((now - run->began) / (double)done * (double)(last - run->iteration) + 0.5);
    char loss[40] = "";
    const train_history *h = &run->history;
    if (h->count) snprintf(loss, sizeof loss, "loss %.4f, ", (double)h->loss[h->count - 1]);
    fprintf(stderr, "\r\033[Kiteration %" PRId64 " of %" PRId64 ", %s%.0f images/s, %" PRId64 ":%02" PRId64 " left",
            run->iteration, last, loss, training > 0 ? (double)(done * run->o->batch) / training : 0, left / 60,
            left % 60);
    fflush(stderr);
}

void train_progress_clear(train_run *run)
{
    if (run->shown > 0) fputs("\r\033[K", stderr);
    run->shown = 0;
}

static void print_accuracies(const train_run *run)
{
    if (isnan(run->train_accuracy) || isnan(run->eval_accuracy)) {
        printf("Interrupted in the last test: the training was over, its accuracy is not known.\n");
        return;
    }
    printf("Accuracy on the test set after iteration %" PRId64 ": %.2f%% in train mode, %.2f%% in eval mode.\n",
           run->iteration, run->train_accuracy, run->eval_accuracy);
    if (run->o->model->batch_norm)
        printf("In train mode dropout silences a quarter of the units at random and batch normalisation uses the "
               "statistics of each test batch, so that a prediction depends on chance and on the other images.\n"
               "In eval mode all units work and the running statistics are used: that is what the trained model can "
               "do.\n");
    else
        printf("In train mode dropout silences a quarter of the units at random, so that a prediction depends on "
               "chance.\nIn eval mode all units work: that is what the trained model can do.\n");
}

void train_print_end(const train_run *run)
{
    if (!strcmp(run->end, "interrupted")) {
        printf("Interrupted after iteration %" PRId64 "; go on with\n  ", run->iteration);
        train_options_print_resume(run, run->last_checkpoint);
        putchar('\n');
        return;
    }
    if (run->o->quiet) return;
    print_accuracies(run);
    printf("Written: %s/history.csv, %s/curves.png, %s%s%s\n", run->o->out, run->o->out, run->last_checkpoint,
           run->o->json ? ", " : "", run->o->json ? run->o->json : "");
}

/* ---- Files ------------------------------------------------------------------------------------------------------ */

static bool write_csv(const train_run *run)
{
    const train_history *h = &run->history;
    char path[4200];
    snprintf(path, sizeof path, "%s/history.csv", run->o->out);
    output_file f;
    if (!output_open(&f, path)) return false;
    fputs("iteration,loss,accuracy\n", f.stream);
    int64_t next = 0;
    for (int64_t i = 0; i < h->count; i++) {
        char loss[HG_REPR_SIZE], accuracy[HG_REPR_SIZE] = "";
        hg_repr_double(h->loss[i], loss);
        if (next < h->evaluation_count && h->evaluations[next].iteration == i + 1)
            hg_repr_double(train_accuracy(&h->evaluations[next++]), accuracy);
        fprintf(f.stream, "%" PRId64 ",%s,%s\n", i + 1, loss, accuracy);
    }
    return output_commit(&f);
}

typedef struct curves {
    double *iteration, *loss, *smooth, *tested, *accuracy;
} curves;

static void fill_curves(const train_history *h, const curves *c)
{
    for (int64_t i = 0; i < h->count; i++) {
        c->iteration[i] = (double)(i + 1);
        c->loss[i] = h->loss[i];
    }
    for (int64_t i = 0; i < h->evaluation_count; i++) {
        c->tested[i] = (double)h->evaluations[i].iteration;
        c->accuracy[i] = train_accuracy(&h->evaluations[i]);
    }
}

static hg_status draw_curves(const train_run *run, const curves *c)
{
    const train_history *h = &run->history;
    bool few = h->count < 2;
    hg_chart_series loss[] = {
        {.label = "each batch", .x = c->iteration, .y = c->loss, .count = h->count, .color = 0x1f77b4, .faint = true},
        {.label = "smoothed", .x = c->iteration, .y = c->smooth, .count = few ? 0 : h->count, .color = 0x1f77b4},
    };
    const char *mode = run->o->eval_mode == TRAIN_MODE ? "test set, train mode" : "test set, eval mode";
    hg_chart_series accuracy[] = {{.label = mode, .x = c->tested, .y = c->accuracy, .count = h->evaluation_count,
                                   .color = 0xd62728, .dots = h->evaluation_count <= 30}};
    hg_chart_panel panels[] = {
        {.title = "Loss", .x_label = "iteration", .y_label = "cross entropy", .series = loss, .series_count = 2},
        {.title = "Accuracy", .x_label = "iteration", .y_label = "%", .series = accuracy, .series_count = 1},
    };
    char path[4200];
    snprintf(path, sizeof path, "%s/curves.png", run->o->out);
    hg_chart chart = {.title = run->o->model->name, .panels = panels, .panel_count = h->evaluation_count ? 2 : 1};
    return hg_chart_write_png(path, &chart);
}

static bool write_curves(const train_run *run)
{
    const train_history *h = &run->history;
    size_t n = (size_t)h->count + 1, m = (size_t)h->evaluation_count + 1;
    double *room = malloc((3 * n + 2 * m) * sizeof *room);
    if (!room) return output_error("out of memory");
    curves c = {room, room + n, room + 2 * n, room + 3 * n, room + 3 * n + m};
    fill_curves(h, &c);
    hg_clear_error();
    hg_status status = hg_chart_smooth(c.loss, h->count, h->count < 200 ? 0.8 : 0.95, c.smooth);
    if (status == HG_OK) status = draw_curves(run, &c);
    free(room);
    return status == HG_OK || run_failed();
}

bool train_write_history(const train_run *run)
{
    return write_csv(run) && write_curves(run);
}
