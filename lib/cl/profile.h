/* Time by kernel and by layer, from events. */
#ifndef HG_CL_PROFILE_H
#define HG_CL_PROFILE_H

#include "cl/opencl.h"
#include "hapgop/device.h"

typedef struct hg_profile {
    bool on, at_close;          /* at_close: HAPGOP_PROFILE asked for the table on stderr */
    const char *layer;          /* name of the layer at work, NULL outside layers; see hg_layer_enter */
    struct hg_profile_event *events;
    int count, capacity;
    struct hg_layer_name *names;    /* all that were ever asked for */
} hg_profile;

/* Takes over the event. `name` must live as long as the device (a literal, or a layer's name). */
void hg_profile_add(hg_profile *p, const char *name, cl_event event);
void hg_profile_clear(hg_profile *p);
/* Waits, and takes out all events: the sum of their times in milliseconds. -1 with an error if the wait failed. */
double hg_profile_take_ms(hg_device *dev);

/* The text once for the device's life: equal texts give the same pointer. NULL if memory ran out (no error is kept: a
 * layer without a name runs as well). */
const char *hg_layer_name(hg_device *dev, const char *text);
void hg_layer_names_free(hg_profile *p);

/* What is launched from now on is counted for `layer` (of hg_layer_name(), or NULL); returns the layer before, to be set
 * again after. */
const char *hg_layer_enter(hg_device *dev, const char *layer);

#endif
