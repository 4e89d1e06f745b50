/* A cache folder of the test's own, and rows for the tuning database in it. */
#ifndef TESTS_CONV_CACHE_H
#define TESTS_CONV_CACHE_H

#include "conv/database.h"

/* PoCL keeps its own cache where it was, wherever XDG_CACHE_HOME points later. To be called before any device. */
void cache_keep_pocl(void);
/* A new folder as XDG_CACHE_HOME, and HAPGOP_TUNE unset; and back, the folder removed. */
void cache_begin(void);
void cache_end(void);

/* "FOLDER/hapgop/tuning.sqlite" */
const char *cache_database(void);
/* A file of that name in the folder, which need not exist. */
const char *cache_file(const char *name);

/* A row of `device` for the solvers there are. */
hg_database_row cache_row(const char *device, const char *problem, const char *solver, const char *config, double ms,
                          hg_tuning_state state);
/* Puts one, which must work. */
void cache_put(const char *device, const char *problem, const char *solver, const char *config, double ms,
               hg_tuning_state state);

/* What the log said about `topic` since cache_listen(topic). */
void cache_listen(const char *topic);
const char *cache_heard(void);

#endif
