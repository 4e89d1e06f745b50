/* What `hapgop transfer` leaves: history.csv, curves.png, the confusion matrix, figures by class, and JSON. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/repr.h"
#include "output.h"
#include "run.h"
#include "transfer.h"

/* ---- by class ---- */

typedef struct figures {
    int64_t images, answers, right;
    double precision, recall, f1; /* 0 where nothing was answered, as scikit-learn's zero_division=0 */
} figures;

static figures figures_of(const transfer_run *run, int64_t class)
{
    figures f = {.right = run->confusion[class * run->classes + class]};
    for (int64_t i = 0; i < run->classes; i++) {
        f.images += run->confusion[class * run->classes + i];
        f.answers += run->confusion[i * run->classes + class];
    }
    f.precision = f.answers ? (double)f.right / (double)f.answers : 0;
    f.recall = f.images ? (double)f.right / (double)f.images : 0;
    f.f1 = f.right ? 2 * f.precision * f.recall / (f.precision + f.recall) : 0;
    return f;
}

static const char *class_name(const transfer_run *run, int64_t class)
{
    return hg_dataset_class(run->test_set, class);
}

void transfer_print_classes(const transfer_run *run)
{
    printf("\nBy class, of %02" PRId64 ".pth:\n%-24s %9s %9s %9s %9s\n", run->best, "class", "precision", "recall",
           "F1", "images");
    for (int64_t i = 0; i < run->classes; i++) {
        figures f = figures_of(run, i);
        printf("%-24s %9.4f %9.4f %9.4f %9" PRId64 "\n", class_name(run, i), f.precision, f.recall, f.f1, f.images);
    }
    printf("Written: %s/best.pth, history.csv, curves.png, confusion.csv, confusion.png, classes.csv%s%s\n",
           run->o->out, run->o->json ? "; " : "", run->o->json ? run->o->json : "");
}

/* ---- CSV ---- */

/* Quoted where RFC 4180 asks for it. */
static void put_field(FILE *stream, const char *text)
{
    bool quote = false;
    for (const char *p = text; *p; p++) quote = quote || *p == ',' || *p == '"' || *p == '\n' || *p == '\r';
    if (quote) fputc('"', stream);
    for (const char *p = text; *p; p++) {
        if (*p == '"') fputc('"', stream);
        fputc(*p, stream);
    }
    if (quote) fputc('"', stream);
}

static bool open_file(const transfer_run *run, const char *name, output_file *f)
{
    char path[4200];
    return transfer_path(run, name, path) && output_open(f, path);
}

static bool write_history(const transfer_run *run)
{
    output_file f;
    if (!open_file(run, "history.csv", &f)) return false;
    fputs("epoch,loss,accuracy,test_accuracy,learning_rate,seconds\n", f.stream);
    for (int64_t i = 0; i < run->done; i++) {
        const transfer_epoch *e = &run->epochs[i];
        char loss[HG_REPR_SIZE], accuracy[HG_REPR_SIZE], test[HG_REPR_SIZE], rate[HG_REPR_SIZE];
        hg_repr_double(e->loss, loss);
        hg_repr_double(e->accuracy, accuracy);
        hg_repr_double(e->test_accuracy, test);
        hg_repr_double(e->rate, rate);
        fprintf(f.stream, "%" PRId64 ",%s,%s,%s,%s,%.3f\n", i, loss, accuracy, test, rate, e->seconds);
    }
    return output_commit(&f);
}

static bool write_confusion(const transfer_run *run)
{
    output_file f;
    if (!open_file(run, "confusion.csv", &f)) return false;
    fputs("true class", f.stream);
    for (int64_t i = 0; i < run->classes; i++) {
        fputc(',', f.stream);
        put_field(f.stream, class_name(run, i));
    }
    for (int64_t i = 0; i < run->classes; i++) {
        fputc('\n', f.stream);
        put_field(f.stream, class_name(run, i));
        for (int64_t k = 0; k < run->classes; k++) fprintf(f.stream, ",%" PRId64, run->confusion[i * run->classes + k]);
    }
    fputc('\n', f.stream);
    return output_commit(&f);
}

static bool write_classes(const transfer_run *run)
{
    output_file f;
    if (!open_file(run, "classes.csv", &f)) return false;
    fputs("class,precision,recall,f1,images\n", f.stream);
    for (int64_t i = 0; i < run->classes; i++) {
        figures c = figures_of(run, i);
        char precision[HG_REPR_SIZE], recall[HG_REPR_SIZE], f1[HG_REPR_SIZE];
        hg_repr_double(c.precision, precision);
        hg_repr_double(c.recall, recall);
        hg_repr_double(c.f1, f1);
        put_field(f.stream, class_name(run, i));
        fprintf(f.stream, ",%s,%s,%s,%" PRId64 "\n", precision, recall, f1, c.images);
    }
    return output_commit(&f);
}

/* ---- PNG ---- */

static hg_status draw_curves(const transfer_run *run, const char *path, double *room)
{
    int64_t n = run->done;
    double *loss = room, *accuracy = room + n, *test = room + 2 * n;
    for (int64_t i = 0; i < n; i++) {
        loss[i] = run->epochs[i].loss;
        accuracy[i] = 100 * run->epochs[i].accuracy;
        test[i] = 100 * run->epochs[i].test_accuracy;
    }
    bool dots = n <= 30;
    hg_chart_series losses[] = {{.label = "training", .y = loss, .count = n, .color = 0x1f77b4, .dots = dots}};
    hg_chart_series accuracies[] = {{.label = "training", .y = accuracy, .count = n, .color = 0x1f77b4, .dots = dots},
                                    {.label = "test", .y = test, .count = n, .color = 0xd62728, .dots = dots}};
    hg_chart_panel panels[] = {
        {.title = "Loss", .x_label = "epoch", .y_label = "cross entropy", .series = losses, .series_count = 1},
        {.title = "Accuracy", .x_label = "epoch", .y_label = "%", .series = accuracies, .series_count = 2}};
    return hg_chart_write_png(path, &(hg_chart){.title = run->o->model->name, .panels = panels, .panel_count = 2});
}

static hg_status draw_matrix(const transfer_run *run, const char *path, const char **names)
{
    char title[64];
    for (int64_t i = 0; i < run->classes; i++) names[i] = class_name(run, i);
    snprintf(title, sizeof title, "Test images, %02" PRId64 ".pth", run->best);
    return hg_matrix_write_png(path, &(hg_matrix_chart){.title = title,
                                                        .row_label = "true class",
                                                        .column_label = "answer",
                                                        .names = names,
                                                        .counts = run->confusion,
                                                        .size = (int)run->classes});
}

static bool write_pictures(const transfer_run *run)
{
    char curves[4200], matrix[4200];
    double *room = malloc(sizeof *room * (3 * (size_t)run->done + 1));
    const char **names = malloc(sizeof *names * (size_t)run->classes);
    bool good = room && names ? transfer_path(run, "curves.png", curves) && transfer_path(run, "confusion.png", matrix)
                              : output_error("out of memory");
    if (good && (draw_curves(run, curves, room) != HG_OK || draw_matrix(run, matrix, names) != HG_OK))
        good = run_failed();
    free(room);
    free(names);
    return good;
}

/* ---- JSON ---- */

static json_t *json_epochs(const transfer_run *run)
{
    json_t *list = json_array();
    for (int64_t i = 0; list && i < run->done; i++) {
        const transfer_epoch *e = &run->epochs[i];
        json_t *one =
            json_pack("{s:I, s:o, s:o, s:o, s:o, s:f}", "epoch", (json_int_t)i, "loss", run_json_number(e->loss),
                      "accuracy", run_json_number(e->accuracy), "test_accuracy", run_json_number(e->test_accuracy),
                      "learning_rate", run_json_number(e->rate), "seconds", e->seconds);
        if (!json_array_append_new(list, one)) continue;
        json_decref(list);
        list = NULL;
    }
    return list;
}

static json_t *json_classes(const transfer_run *run)
{
    json_t *list = json_array();
    for (int64_t i = 0; list && i < run->classes; i++) {
        figures f = figures_of(run, i);
        json_t *row = json_array();
        for (int64_t k = 0; k < run->classes; k++)
            json_array_append_new(row, json_integer((json_int_t)run->confusion[i * run->classes + k]));
        json_t *one = json_pack("{s:s, s:f, s:f, s:f, s:I, s:o}", "class", class_name(run, i), "precision", f.precision,
                                "recall", f.recall, "f1", f.f1, "images", (json_int_t)f.images, "answers", row);
        if (!json_array_append_new(list, one)) continue;
        json_decref(list);
        list = NULL;
    }
    return list;
}

static bool write_json(const transfer_run *run)
{
    const transfer_options *o = run->o;
    if (!o->json) return true;
    double sum = 0;
    for (int64_t i = 0; i < run->done; i++) sum += run->epochs[i].test_accuracy;
    json_t *root = json_pack(
        "{s:o, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:I, s:o, s:o, s:o, s:o, s:o}", "device",
        run_json_device(run->dev), "version", hg_version(), "arch", o->model->name, "mode", transfer_modes[o->mode],
        "regime", o->mode == TRANSFER_FINE_TUNE ? transfer_regimes[o->regime] : "small-high", "train_images",
        (json_int_t)run->train_images, "test_images", (json_int_t)hg_dataset_length(run->test_set), "trained_tensors",
        (json_int_t)run->trained_tensors, "trained_parameters", (json_int_t)run->trained_parameters, "parameters",
        (json_int_t)run->all_parameters, "training_seconds", run->training_seconds, "waited_seconds", run->waited,
        "testing_seconds", run->testing_seconds, "best_epoch", (json_int_t)run->best, "best_test_accuracy",
        run_json_number(run->epochs[run->best].test_accuracy), "last_test_accuracy",
        run_json_number(run->epochs[run->done - 1].test_accuracy), "mean_test_accuracy",
        run_json_number(sum / (double)run->done), "epochs", json_epochs(run), "classes", json_classes(run));
    return run_write_json(o->json, root);
}

bool transfer_write(const transfer_run *run)
{
    hg_clear_error();
    return write_history(run) && write_confusion(run) && write_classes(run) && write_pictures(run) && write_json(run);
}
