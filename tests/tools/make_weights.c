/* Writes weights drawn from a seed, and tells what the network, run plainly, makes of an image that is prepared here
 * step by step. Usage: make_weights NAME CLASSES FILE IMAGE
 * FILE.state is a state dict, FILE.checkpoint has what `hapgop transfer` keeps: classes "class 0", ..., 40 of 48. The
 * answers, softmax of each class, come as two lines: at 256/224 of the network's size with ImageNet's normalisation,
 * and at 40 of 48 without. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hapgop/hapgop.h>

static void check(bool good)
{
    if (good) return;
    fprintf(stderr, "make_weights: %s\n", hg_last_error());
    exit(1);
}

/* The middle of the image whose shorter side became `resize`, as planes. */
static float *prepare(const hg_image *photo, int resize, int size, bool norm)
{
    static const float mean[] = {0.485f, 0.456f, 0.406f}, std[] = {0.229f, 0.224f, 0.225f};
    bool tall = photo->height >= photo->width;
    int width = tall ? resize : (int)((double)resize * photo->width / photo->height);
    int height = tall ? (int)((double)resize * photo->height / photo->width) : resize;
    hg_image small;
    float *x = malloc((size_t)size * (size_t)size * 3 * sizeof *x);
    check(x && hg_image_resize(photo, width, height, HG_RESIZE_PIL, &small) == HG_OK);
    int top = (int)nearbyint((height - size) / 2.0), left = (int)nearbyint((width - size) / 2.0);
    for (int i = 0; i < 3 * size * size; i++) {
        int c = i / (size * size), row = top + i / size % size, column = left + i % size;
        x[i] = (float)small.pixels[(row * width + column) * 3 + c] / 255;
        if (norm) x[i] = (x[i] - mean[c]) / std[c];
    }
    hg_image_free(&small);
    return x;
}

static void answer(hg_module *net, const hg_image *photo, int resize, int size, bool norm)
{
    hg_scope *s = hg_scope_begin(hg_module_device(net));
    float *x = prepare(photo, resize, size, norm);
    hg_tensor *input = hg_from_data(hg_module_device(net), HG_F32, HG_SHAPE(1, 3, size, size), x);
    hg_tensor *y = hg_softmax(hg_forward(net, input), 1);
    float *values = hg_ok(y) ? malloc((size_t)hg_numel(y) * sizeof *values) : NULL;
    check(values && hg_read(y, values) == HG_OK);
    for (int64_t i = 0; i < hg_numel(y); i++) printf("%s%.9g", i ? " " : "", values[i]);
    putchar('\n');
    free(values);
    free(x);
    hg_scope_end(s);
}

static void write_checkpoint(hg_module *net, const char *name, int classes, const char *path)
{
    hg_checkpoint *c = hg_checkpoint_new();
    hg_checkpoint_put_text(c, "arch", name);
    hg_checkpoint_put_module(c, "model_state_dict", net);
    for (int i = 0; i < classes; i++) {
        char key[40], text[40];
        snprintf(key, sizeof key, "classes/%d", i);
        snprintf(text, sizeof text, "class %d", i);
        hg_checkpoint_put_text(c, key, text);
    }
    hg_checkpoint_put_int(c, "preprocess/resize", 48);
    hg_checkpoint_put_int(c, "preprocess/size", 40);
    hg_checkpoint_put_bool(c, "preprocess/imagenet_norm", false);
    check(hg_checkpoint_write(c, path) == HG_OK);
    hg_checkpoint_free(c);
}

int main(int argc, char **argv)
{
    char path[4096];
    hg_image photo;
    const hg_model_info *info = argc == 5 ? hg_model_find(argv[1]) : NULL;
    hg_device *dev = hg_device_open(NULL);
    check(info && dev && hg_image_read(argv[4], NULL, &photo) == HG_OK &&
          hg_manual_seed(dev, 3, HG_RNG_PHILOX) == HG_OK);
    int classes = atoi(argv[2]), size = (int)info->height;
    hg_module *net = hg_model(dev, info->name, &(hg_model_options){.classes = classes});
    check(net != NULL);
    hg_eval(net);
    snprintf(path, sizeof path, "%s.state", argv[3]);
    check(hg_save_state(net, path) == HG_OK);
    snprintf(path, sizeof path, "%s.checkpoint", argv[3]);
    write_checkpoint(net, info->name, classes, path);
    answer(net, &photo, (size * 256 + 112) / 224, size, true);
    answer(net, &photo, 48, 40, false);
    hg_image_free(&photo);
    hg_module_free(net);
    hg_device_close(dev);
    return 0;
}
