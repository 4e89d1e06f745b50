/* Which candidates are right, and how long they take. */
#ifndef HG_CONV_MEASURE_H
#define HG_CONV_MEASURE_H

#include "conv/candidates.h"
#include "hapgop/conv.h"

/* Runs the candidates of one problem on random data and fills a row for each: wrong if the result is not that of the
 * definition; skipped, with the reason, if it cannot run or fails; else its time, taken in turns. The device has been
 * entered; its random numbers, profile and errors are left as they were.
 * HG_E_MEMORY if the operands do not fit; what hg_sync reports of the work before. */
hg_status hg_conv_measure(hg_device *dev, const hg_conv_candidate *list, int count, hg_tuning_row *rows);

/* The fastest right one; -1 if there is none. */
int hg_conv_measured_best(const hg_tuning_row *rows, int count);

#endif
