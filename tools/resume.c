#include "resume.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run.h"

void resume_plans_now(hg_device *dev, resume_plans plans)
{
    snprintf(plans, sizeof(resume_plans), "%016" PRIx64, hg_conv_plan_hash(dev));
}

/* ---- Options ---- */

static void path_of(const arg_option *option, char path[64])
{
    snprintf(path, 64, "options/%s", option->name);
}

void resume_put_options(hg_checkpoint *checkpoint, const arg_command *c)
{
    for (int i = 0; i < c->count; i++) {
        const arg_option *o = &c->options[i];
        char path[64];
        path_of(o, path);
        if (o->group == RESUME_LOCAL) continue;
        if (o->kind == ARG_FLAG) hg_checkpoint_put_bool(checkpoint, path, *(bool *)o->value);
        if (o->kind == ARG_INT) hg_checkpoint_put_int(checkpoint, path, *(int64_t *)o->value);
        if (o->kind == ARG_REAL) hg_checkpoint_put_double(checkpoint, path, *(double *)o->value);
        if (o->kind == ARG_CHOICE) hg_checkpoint_put_text(checkpoint, path, o->choices[*(int *)o->value]);
    }
}

void resume_option_text(const arg_option *o, char text[64])
{
    if (o->kind == ARG_FLAG) snprintf(text, 64, "%s", *(bool *)o->value ? "yes" : "no");
    if (o->kind == ARG_INT) snprintf(text, 64, "%lld", (long long)*(int64_t *)o->value);
    if (o->kind == ARG_REAL) snprintf(text, 64, "%.17g", *(double *)o->value);
    if (o->kind == ARG_CHOICE) snprintf(text, 64, "%s", o->choices[*(int *)o->value]);
}

static hg_status saved_text(const arg_option *o, const hg_checkpoint *checkpoint, char text[64])
{
    char path[64];
    path_of(o, path);
    bool flag = false;
    int64_t integer = 0;
    double real = 0;
    const char *choice = "";
    hg_status status = o->kind == ARG_FLAG ? hg_checkpoint_get_bool(checkpoint, path, &flag)
                       : o->kind == ARG_INT ? hg_checkpoint_get_int(checkpoint, path, &integer)
                       : o->kind == ARG_REAL ? hg_checkpoint_get_double(checkpoint, path, &real)
                                             : hg_checkpoint_get_text(checkpoint, path, &choice);
    if (o->kind == ARG_FLAG) snprintf(text, 64, "%s", flag ? "yes" : "no");
    if (o->kind == ARG_INT) snprintf(text, 64, "%lld", (long long)integer);
    if (o->kind == ARG_REAL) snprintf(text, 64, "%.17g", real);
    if (o->kind == ARG_CHOICE) snprintf(text, 64, "%s", choice);
    return status;
}

static bool take_saved(const arg_command *c, arg_option *o, const char *saved)
{
    char now[64];
    resume_option_text(o, now);
    if (o->given && o->group == RESUME_FIXED && strcmp(now, saved)) {
        args_complain(c, "--%s %s contradicts the checkpoint, whose training has %s %s; leave --%s out to go on with "
                      "that", o->name, now, o->name, saved, o->name);
        return false;
    }
    if (o->given || !strcmp(now, saved)) return true;
    if (o->kind == ARG_FLAG) {
        *(bool *)o->value = !strcmp(saved, "yes");
        return true;
    }
    return args_set(c, o, saved);
}

bool resume_take_options(const hg_checkpoint *checkpoint, arg_command *c)
{
    for (int i = 0; i < c->count; i++) {
        arg_option *o = &c->options[i];
        char saved[64];
        if (o->group == RESUME_LOCAL) continue;
        if (saved_text(o, checkpoint, saved) != HG_OK) return run_failed();
        if (!take_saved(c, o, saved)) return false;
    }
    return true;
}

/* ---- The run ---- */

static void device_name(hg_device *dev, char name[300], char driver[128])
{
    hg_device_info info = {0};
    hg_device_get_info(dev, &info);
    snprintf(name, 300, "%s / %s", info.platform, info.name);
    snprintf(driver, 128, "%s", info.driver);
}

static void put_rng(hg_checkpoint *c, hg_device *dev)
{
    size_t size = hg_rng_get_state(dev, NULL);
    void *state = malloc(size ? size : 1);
    if (state) {
        hg_rng_get_state(dev, state);
        hg_checkpoint_put_array(c, "rng_state", HG_U8, HG_SHAPE((int64_t)size), state);
    }
    free(state);
}

static void put_loader(hg_checkpoint *c, const hg_loader *loader)
{
    hg_loader_state s;
    hg_loader_get_state(loader, &s);
    hg_checkpoint_put_int(c, "loader/length", s.length);
    hg_checkpoint_put_int(c, "loader/epoch", s.epoch);
    hg_checkpoint_put_int(c, "loader/next_batch", s.next_batch);
    hg_checkpoint_put_int(c, "loader/base_seed", (int64_t)s.base_seed);
    hg_checkpoint_put_int(c, "loader/shuffle_seed", (int64_t)s.shuffle_seed);
}

bool resume_put_run(hg_checkpoint *c, hg_device *dev, const hg_loader *loader, const char *plans)
{
    char device[300], driver[128];
    device_name(dev, device, driver);
    hg_checkpoint_put_text(c, "device", device);
    hg_checkpoint_put_text(c, "driver", driver);
    hg_checkpoint_put_text(c, "plans", plans);
    put_rng(c, dev);
    put_loader(c, loader);
    return hg_checkpoint_has(c, "rng_state");
}

static hg_status get_rng(const hg_checkpoint *c, hg_device *dev)
{
    hg_shape shape;
    const void *state;
    hg_status status = hg_checkpoint_get_array(c, "rng_state", HG_U8, &shape, &state);
    if (status != HG_OK) return status;
    return hg_rng_set_state(dev, state, shape.ndim == 1 ? (size_t)shape.size[0] : 0);
}

static hg_status get_loader(const hg_checkpoint *c, hg_loader *loader)
{
    hg_loader_state s = {0};
    int64_t base_seed = 0, shuffle_seed = 0;
    hg_status status = hg_checkpoint_get_int(c, "loader/length", &s.length);
    if (status == HG_OK) status = hg_checkpoint_get_int(c, "loader/epoch", &s.epoch);
    if (status == HG_OK) status = hg_checkpoint_get_int(c, "loader/next_batch", &s.next_batch);
    if (status == HG_OK) status = hg_checkpoint_get_int(c, "loader/base_seed", &base_seed);
    if (status == HG_OK) status = hg_checkpoint_get_int(c, "loader/shuffle_seed", &shuffle_seed);
    s.base_seed = (uint64_t)base_seed;
    s.shuffle_seed = (uint64_t)shuffle_seed;
    if (status == HG_OK) status = hg_loader_set_state(loader, &s);
    return status;
}

hg_status resume_get_run(const hg_checkpoint *c, hg_device *dev, hg_loader *loader)
{
    hg_status status = get_loader(c, loader);
    return status == HG_OK ? get_rng(c, dev) : status;
}

/* The text, "" if the checkpoint has none. */
static const char *text_at(const hg_checkpoint *c, const char *path)
{
    const char *text;
    if (hg_checkpoint_get_text(c, path, &text) == HG_OK) return text;
    hg_clear_error();
    return "";
}

bool resume_compare_device(const hg_checkpoint *c, hg_device *dev)
{
    char device[300], driver[128];
    const char *device_then = text_at(c, "device"), *driver_then = text_at(c, "driver");
    device_name(dev, device, driver);
    if (*device_then && strcmp(device_then, device))
        fprintf(stderr, "hapgop: the checkpoint was made on %s, this is %s: results differ by rounding\n", device_then,
                device);
    else if (*driver_then && strcmp(driver_then, driver))
        fprintf(stderr, "hapgop: the checkpoint was made with driver %s of this device, this is %s: results differ by "
                        "rounding\n", driver_then, driver);
    else
        return true;
    return false;
}

void resume_saved_plans(const hg_checkpoint *c, resume_plans plans)
{
    snprintf(plans, sizeof(resume_plans), "%s", text_at(c, "plans"));
}

void resume_compare_plans(const char *then, const char *now)
{
    if (*then && strcmp(then, now))
        fprintf(stderr, "hapgop: the checkpoint was made with other convolution plans (%s, now %s), as after hapgop tune "
                        "or with HAPGOP_CONV: results differ by rounding\n", then, now);
}
