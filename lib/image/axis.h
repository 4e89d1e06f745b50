/* The range and the tick marks of an axis. */
#ifndef HG_IMAGE_AXIS_H
#define HG_IMAGE_AXIS_H

#include <stdbool.h>

/* Values beyond this are no numbers to a chart: differences and scales stay finite below it. */
#define HG_AXIS_LIMIT 1e300
/* A range below this is none: its steps would not be normal numbers. */
#define HG_AXIS_SMALLEST 1e-290

/* Ticks lie at (first + i) * step, 0 <= i < ticks: whole multiples of a step of 1, 2, 2.5 or 5 times a power of 10. */
typedef struct hg_axis {
    double low, high;       /* low < high */
    double step, first;
    int ticks;
    int decimals;           /* digits behind the point that tell ticks apart; -1: scientific with `digits` */
    int digits;
} hg_axis;

/* Grows low..high by `margin` of its length on both sides; gives an empty or vanishing range some length. A range
 * with low > high stands for no data and becomes 0..1. */
void hg_axis_range(hg_axis *axis, double low, double high, double margin);

/* Chooses the finest nice step with at most `most` (>= 2) ticks; `whole`: no step below 1. */
void hg_axis_ticks(hg_axis *axis, int most, bool whole);

/* The text of tick i. */
void hg_axis_label(const hg_axis *axis, int i, char out[32]);

#endif
