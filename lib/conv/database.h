/* What was measured, kept between runs: $XDG_CACHE_HOME/hapgop/tuning.sqlite, with a rollback journal, shared by any
 * number of processes. Whatever is wrong with it is a miss, said once to the log; no function here keeps an error. */
#ifndef HG_CONV_DATABASE_H
#define HG_CONV_DATABASE_H

#include "conv/candidates.h"
#include "hapgop/conv.h"

enum { HG_DATABASE_TEXT = 640, HG_DATABASE_WHY = 512 };

/* A row with what it holds for. */
typedef struct hg_database_row {
    char device[HG_DATABASE_TEXT]; /* hg_database_device() */
    char solvers[64];              /* hg_database_solvers() */
    hg_tuning_row row;             /* expected_ms, chosen, heuristic and why are not kept */
} hg_database_row;

/* Platform, name, driver, class and units, in one line. Returns out. */
char *hg_database_device(const hg_device *dev, char out[HG_DATABASE_TEXT]);

/* Stands for the set of solvers and for what their configurations mean. */
char *hg_database_solvers(char out[64]);

/* The problem as rows have it, from one with its workspace limit in force: no solver, and no limit if it is the usual
 * one. */
hg_conv_problem hg_database_problem(const hg_device *dev, const hg_conv_problem *p);

/* The device's rows for these solvers and the problem with any batch, or for any problem if `p` is NULL; by problem,
 * batch and time. False, with the reason in `why`, if the database cannot be read; a missing one is empty.
 * free(*rows). */
bool hg_database_find(const char *device, const hg_conv_problem *p, hg_tuning_row **rows, int *count,
                      char why[HG_DATABASE_WHY]);

/* Adds the rows, all or none. A row of the same device, solvers, problem, solver and configuration is replaced unless
 * it is newer, or wrong. A damaged database is begun afresh. `why` is "" after success. */
bool hg_database_put(const hg_database_row *rows, int count, char why[HG_DATABASE_WHY]);

/* Removes the device's rows. */
bool hg_database_clear(const char *device, char why[HG_DATABASE_WHY]);

#endif
