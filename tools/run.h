/* What the commands that run for a while share: signals, warnings, time, JSON. */
#ifndef TOOLS_RUN_H
#define TOOLS_RUN_H

#include <jansson.h>
#include <signal.h>

#include <hapgop/hapgop.h>

extern volatile sig_atomic_t run_signal;    /* that asked to stop; 0 if none did */

/* From here on SIGINT and SIGTERM set run_signal; a second one ends the program at once. */
void run_catch_signals(void);
/* The library's warnings, on stderr. */
void run_show_warnings(void);

double run_now(void);                       /* seconds of CLOCK_BOOTTIME */

/* Tells the library's error; false. */
bool run_failed(void);

/* The shape of a tensor in a file of weights; HG_SCALAR if it is not there. */
hg_shape run_weights_shape(const hg_weights *w, const char *name);

/* JSON has no NaN and no infinity: they are null. */
json_t *run_json_number(double x);
json_t *run_json_device(hg_device *dev);
/* Writes and drops it; NULL is memory that ran out. False with a message on stderr. */
bool run_write_json(const char *path, json_t *root);

#endif
