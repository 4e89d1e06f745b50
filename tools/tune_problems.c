/* Which convolutions are meant: shapes in all directions, and the convolutions of networks. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tune.h"

const char *const tune_directions[] = {"all", "fwd", "bwd-data", "bwd-weights", NULL};

/* The direction that the text begins with, followed by a blank; TUNE_ALL if it names none. */
static int direction_of(const char *text)
{
    for (int i = 1; tune_directions[i]; i++) {
        size_t n = strlen(tune_directions[i]);
        if (!strncmp(text, tune_directions[i], n) && (!text[n] || isspace((unsigned char)text[n]))) return i;
    }
    return TUNE_ALL;
}

bool tune_is_shape(const char *argument)
{
    return isdigit((unsigned char)*argument) || direction_of(argument) != TUNE_ALL;
}

static bool add(tune_problems *list, const char *text)
{
    for (int i = 0; i < list->count; i++)
        if (!strcmp(list->text[i], text)) return true;
    void *more = realloc(list->text, sizeof *list->text * (size_t)(list->count + 1));
    if (!more) return false;
    list->text = more;
    snprintf(list->text[list->count++], sizeof *list->text, "%s", text);
    return true;
}

/* A problem in its usual form, with other images unless `batch` is 0. */
static bool with_batch(const char *text, int64_t batch, char out[256])
{
    char usual[256], changed[512];
    if (hg_conv_problem_text(text, usual) != HG_OK) return false;
    const char *images = strchr(usual, ' ') + 1;        /* "fwd 8x64x56x56 ..." */
    if (!batch) snprintf(changed, sizeof changed, "%s", usual);
    else
        snprintf(changed, sizeof changed, "%.*s%lld%s", (int)(images - usual), usual, (long long)batch,
                 strchr(images, 'x'));
    return hg_conv_problem_text(changed, out) == HG_OK;
}

/* Words of an epilogue are for the forward direction alone. */
static bool is_epilogue(const char *word, size_t length)
{
    static const char *const words[] = {"bias", "residual", "relu"};
    for (int i = 0; i < 3; i++)
        if (strlen(words[i]) == length && !strncmp(words[i], word, length)) return true;
    return false;
}

static void in_direction(const char *shape, int direction, char out[512])
{
    snprintf(out, 512, "%s", tune_directions[direction]);
    for (const char *at = shape + strspn(shape, " "); *at; at += strspn(at, " ")) {
        size_t n = strcspn(at, " "), used = strlen(out);
        if (direction == TUNE_FORWARD || !is_epilogue(at, n)) snprintf(out + used, 512 - used, " %.*s", (int)n, at);
        at += n;
    }
}

bool tune_add_shape(tune_problems *list, const char *shape, int64_t batch, int direction, char wrong[400])
{
    char problem[256], text[512];
    int named = direction_of(shape);
    if (named != TUNE_ALL && direction != TUNE_ALL && direction != named) {
        snprintf(wrong, 400, "\"%.200s\" names its direction; leave --direction out", shape);
        return false;
    }
    if (strlen(shape) > 250) {
        snprintf(wrong, 400, "\"%.200s...\" is no shape", shape);
        return false;
    }
    for (int i = 1; tune_directions[i]; i++) {
        if ((named && named != i) || (direction && direction != i)) continue;
        if (named) snprintf(text, sizeof text, "%s", shape);
        else in_direction(shape, i, text);
        if (!with_batch(text, batch, problem)) {
            snprintf(wrong, 400, "%s", hg_last_error());
            return false;
        }
        if (!add(list, problem)) {
            snprintf(wrong, 400, "out of memory");
            return false;
        }
    }
    return true;
}

/* ---- networks ---- */

enum { FEW = 2 };   /* images to find the convolutions with: batch normalisation needs two */

/* Images of a training step: of small ones, as many as hapgop train takes. */
static int64_t usual_batch(const hg_model_info *n)
{
    return n->height < 64 ? 100 : 32;
}

static hg_status step(hg_module *net, hg_device *dev, const hg_model_info *n)
{
    hg_scope *s = hg_scope_begin(dev);
    hg_tensor *y = hg_forward(net, hg_zeros(dev, HG_F32, HG_SHAPE(FEW, n->channels, n->height, n->width)));
    hg_status status = hg_backward(hg_mean(y, HG_ALL, false));
    if (status == HG_OK) status = hg_sync(dev);
    hg_scope_end(s);
    return status;
}

/* The plans that a device makes in one step, with the number of images that is wanted. */
static hg_status collect(tune_problems *list, hg_device *dev, const char *name, int64_t batch, int direction)
{
    hg_conv_plan_info *plans = NULL;
    int count = 0;
    hg_module *net = hg_model(dev, name, NULL);
    if (!batch) batch = usual_batch(hg_model_find(name));
    hg_status status = net ? step(net, dev, hg_model_find(name)) : hg_last_status();
    if (status == HG_OK) status = hg_conv_plan_list(dev, &plans, &count);
    for (int i = 0; i < count && status == HG_OK; i++) {
        char problem[256];
        if (direction != TUNE_ALL && direction_of(plans[i].problem) != direction) continue;
        if (!with_batch(plans[i].problem, batch, problem)) status = hg_last_status();
        else if (!add(list, problem)) status = HG_E_MEMORY;
    }
    free(plans);
    hg_module_free(net);
    return status;
}

bool tune_add_network(tune_problems *list, const char *name, const char *device, int64_t batch, int direction)
{
    hg_device *dev = hg_device_open(device);    /* one of its own: it has no other plans */
    hg_status status = dev ? collect(list, dev, name, batch, direction) : hg_last_status();
    hg_device_close(dev);
    return status == HG_OK;
}
