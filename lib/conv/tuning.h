/* What was measured, as the selector uses it. */
#ifndef HG_CONV_TUNING_H
#define HG_CONV_TUNING_H

#include "conv/candidates.h"
#include "hapgop/conv.h"

enum { HG_TUNING_SOURCE = 48 };

/* Looks into the database, unless HAPGOP_TUNE=0: candidates that were wrong there get a reason not to run (`why`), and
 * the one that was fastest is returned, for the same problem or else for the nearest number of images within a factor
 * of two; NULL if there is none that can run. `source` says which it was: "measured", "measured with 16 images". */
const hg_conv_candidate *hg_tuning_recall(const hg_device *dev, hg_conv_candidate *list, int count,
                                          char source[HG_TUNING_SOURCE]);

/* Whether HAPGOP_TUNE=1. */
bool hg_tuning_on(void);

/* Measures the candidates and keeps the result; *rows is NULL after an error, free() it. The device has been entered.
 * `why`: why it could not be kept, or "". */
hg_status hg_tuning_measure(hg_device *dev, const hg_conv_candidate *list, int count, hg_tuning_row **rows,
                            char why[512]);

#endif
