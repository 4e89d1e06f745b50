/* `hapgop tune`: from the command line to the database. */
#include "tune.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "commands.h"
#include "output.h"

static const char about[] =
    "Measures which solver is fastest for convolutions on a device, and keeps that for every later run.\n"
    "\n"
    "MODEL is a network that hapgop model --list has, fashion-cnn for instance: the convolutions of its training\n"
    "step. SHAPE is one argument, images x channels x sizes, outputs x kernel, then stride, padding, dilation, groups\n"
    "as they are needed, in all three directions: \"8x64x56x56 64x3x3 s1x1 p1x1\"; or a whole problem:\n"
    "\"bwd-data 8x64x56x56 64x3x3 p1x1 f32\".\n"
    "\n"
    "A solver counts if its result is that of direct summation. The table has the fastest one, and what would be\n"
    "chosen without having measured. The order is --clear, --import, measuring, --list, --export. A program takes an\n"
    "exported file with hg_tuning_import().";

typedef struct tune_options {
    const char *device, *export_to, *import_from, *json;
    int64_t batch;
    int direction;
    bool list, clear;
} tune_options;

/* ---- what the options ask for ---- */

static void show_warning(const char *topic, const char *message, void *user)
{
    (void)user;
    const char *asked = getenv("HAPGOP_LOG");
    if (!strcmp(topic, "warn") && !(asked && *asked)) fprintf(stderr, "hapgop: warning: %s\n", message);
}

static bool failed(void)
{
    return output_error("%s", hg_last_error());
}

static bool measure(hg_device *dev, const tune_problems *problems, tune_result *results)
{
    bool good = true;
    if (problems->count) tune_print_head();
    for (int i = 0; i < problems->count; i++) {
        hg_clear_error();
        hg_status status = hg_tune(dev, problems->text[i], &results[i].rows, &results[i].count);
        if (results[i].count && results[i].rows) tune_print_result(&results[i]);
        if (status == HG_OK) continue;
        good = failed();
        if (status == HG_E_IO || status == HG_E_STATE || status == HG_E_DRIVER) break;     /* so will the next */
    }
    return good;
}

static bool list_rows(hg_device *dev)
{
    hg_tuning_row *rows;
    int count;
    if (hg_tuning_list(dev, &rows, &count) != HG_OK) return failed();
    tune_print_list(rows, count);
    free(rows);
    return true;
}

static bool work(const tune_options *o, hg_device *dev, const tune_problems *problems, tune_result *results)
{
    if (o->clear && hg_tuning_clear(dev) != HG_OK) return failed();
    if (o->import_from && hg_tuning_import(dev, o->import_from) != HG_OK) return failed();
    bool good = measure(dev, problems, results);
    if (o->list) good = list_rows(dev) && good;
    if (o->export_to && hg_tuning_export(dev, o->export_to) != HG_OK) good = failed();
    if (o->json) good = tune_write_json(o->json, dev, results, problems->count) && good;
    return good;
}

/* ---- the command line ---- */

/* Checks all arguments before anything is measured; networks are only looked up. */
static bool check_arguments(const arg_command *c, const tune_options *o, const char **rest, int count,
                            tune_problems *problems)
{
    char wrong[400];
    for (int i = 0; i < count; i++) {
        if (tune_is_shape(rest[i])) {
            if (tune_add_shape(problems, rest[i], o->batch, o->direction, wrong)) continue;
            args_complain(c, "%s", wrong);
            return false;
        }
        if (hg_model_find(rest[i])) continue;
        args_complain(c, "%s; a shape is one argument: \"8x64x56x56 64x3x3 p1x1\"", hg_last_error());
        return false;
    }
    if (count || o->list || o->clear || o->export_to || o->import_from) return true;
    args_complain(c, "nothing to do: give a MODEL or a SHAPE, --list, --clear, --import or --export");
    return false;
}

static bool add_networks(const tune_options *o, const char **rest, int count, tune_problems *problems)
{
    for (int i = 0; i < count; i++)
        if (!tune_is_shape(rest[i]) && !tune_add_network(problems, rest[i], o->device, o->batch, o->direction))
            return failed();
    return true;
}

static int tune(const tune_options *o, const char **rest, int count, tune_problems *problems)
{
    if (o->json && !output_possible(o->json)) return 1;
    if (o->export_to && !output_possible(o->export_to)) return 1;
    hg_set_log(show_warning, NULL);
    unsetenv("HAPGOP_CONV");
    setenv("HAPGOP_TUNE", "0", 1);      /* finding a network's convolutions measures nothing */
    if (!add_networks(o, rest, count, problems)) return 1;
    tune_result *results = calloc((size_t)problems->count + 1, sizeof *results);
    hg_device *dev = results ? hg_device_open(o->device) : NULL;
    bool good = results || output_error("out of memory");
    if (good) good = dev || failed();
    good = good && work(o, dev, problems, results);
    for (int i = 0; results && i < problems->count; i++) free(results[i].rows);
    free(results);
    hg_device_close(dev);
    return good ? 0 : 1;
}

int tune_command(int argc, char **argv)
{
    tune_options o = {.direction = TUNE_ALL};
    arg_option options[] = {
        {"batch", ARG_INT, &o.batch, "N",
         "images, in place of the shape's or of a network's training step (32, or 100 small ones)", 1, 1e6},
        {"direction", ARG_CHOICE, &o.direction, .choices = tune_directions, .help = "which to measure (all)"},
        {"device", ARG_TEXT, &o.device, "DEVICE",
         "gpu, cpu, nvidia, amd, intel, pocl or part of a name, :N for the N-th"},
        {"export", ARG_TEXT, &o.export_to, "FILE", "write what is known of the device as text"},
        {"import", ARG_TEXT, &o.import_from, "FILE", "take what such a file has; newer measurements stay"},
        {"list", ARG_FLAG, &o.list, .help = "print what is known of the device"},
        {"clear", ARG_FLAG, &o.clear, .help = "forget what is known of the device"},
        {"json", ARG_TEXT, &o.json, "FILE", "write every candidate with its time as JSON"},
    };
    arg_command command = {"tune", "[MODEL|SHAPE...] [OPTIONS]", about, options, sizeof options / sizeof *options};
    const char *rest[argc];
    int count;
    arg_result parsed = args_parse(&command, argc, argv, rest, &count);
    if (parsed != ARGS_OK) return parsed == ARGS_HELP ? 0 : 2;
    tune_problems problems = {0};
    int code = check_arguments(&command, &o, rest, count, &problems) ? tune(&o, rest, count, &problems) : 2;
    free(problems.text);
    return code;
}
