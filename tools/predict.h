/* The parts of `hapgop predict`. */
#ifndef TOOLS_PREDICT_H
#define TOOLS_PREDICT_H

#include <hapgop/hapgop.h>

typedef struct predict_options {
    const char *arch, *weights, *classes, *device, *json;   /* NULL: not given */
    int64_t size, resize, top;                              /* size and resize 0: not given */
    int norm;                                               /* one of predict_norms */
    int on_bad_image;                                       /* hg_bad_image */
    bool transform_input;
} predict_options;

enum { PREDICT_NORM_AUTO, PREDICT_NORM_IMAGENET, PREDICT_NORM_NONE };

/* A network that answers, and what it is to be given. */
typedef struct predict_network {
    hg_device *dev;
    hg_module *net, *compiled;
    hg_transform *transform;
    int64_t outputs;
    char **names;               /* of each output; NULL: not known */
} predict_network;

/* Makes the network, reads its weights, finds the classes' names. What a checkpoint of `hapgop transfer` says serves
 * where the options say nothing:
 *
 *   arch                       text, the network's name
 *   model_state_dict           its weights; a file without that is a state dict itself
 *   classes/0, classes/1, ...  texts, the classes' names
 *   preprocess/resize, /size   integers: the shorter side of the resized image, the sides of its middle
 *   preprocess/imagenet_norm   bool
 *
 * False, with the reason on stderr, if something is wrong. Free it in any case. */
bool predict_open(const predict_options *o, predict_network *n);
void predict_free(predict_network *n);

#endif
