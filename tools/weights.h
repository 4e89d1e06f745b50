/* `hapgop weights`: what its files share. weights.c reads the command line; weights_show.c lists, checks and converts,
 * weights_diff.c compares two files. */
#ifndef TOOLS_WEIGHTS_H
#define TOOLS_WEIGHTS_H

#include <hapgop/hapgop.h>
#include <jansson.h>

typedef struct weights_options {
    const char *files[2];
    hg_weights_options open;    /* what --key, --strip and --rename say */
    const char *arch, *device;
    int64_t classes;
    bool aux_logits, json;
} weights_options;

/* Each returns the exit code. */
int weights_list(const weights_options *o);
int weights_check(const weights_options *o);
int weights_convert(const weights_options *o);
int weights_diff(const weights_options *o);     /* 2 if a file cannot be read */

/* For printing: "64x3x7x7", "scalar"; a name without what a terminal would take for a command. */
void weights_shape_text(hg_shape shape, char out[160]);
const char *weights_printable(const char *name, char out[160]);

json_t *weights_shape_json(hg_shape shape);
/* Writes it to stdout and drops it; false with a message on stderr. NULL is memory that ran out. */
bool weights_print_json(json_t *root);

#endif
