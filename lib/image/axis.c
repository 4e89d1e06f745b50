#include "image/axis.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void hg_axis_range(hg_axis *axis, double low, double high, double margin)
{
    if (!(low <= high)) {
        low = 0;
        high = 1;
        margin = 0;
    }
    double size = fmax(fabs(low), fabs(high)), length = high - low;
    if (!(length > size * 1e-9 && length > HG_AXIS_SMALLEST)) {     /* one value, or several hardly told apart */
        double half = size > HG_AXIS_SMALLEST ? size * 0.1 : 1;
        low -= half;
        high += half;
    } else {
        low -= length * margin;
        high += length * margin;
    }
    axis->low = low;
    axis->high = high;
}

void hg_axis_ticks(hg_axis *axis, int most, bool whole)
{
    static const double nice[] = {1, 2, 2.5, 5};
    double length = axis->high - axis->low;
    int exponent = (int)floor(log10(length / most));
    for (int i = 0;; i++) {
        int power = exponent + i / 4;
        axis->step = nice[i % 4] * pow(10, power);
        bool half = i % 4 == 2;
        if (whole && (axis->step < 1 || (half && power == 0))) continue;
        axis->first = ceil(axis->low / axis->step - 1e-9);
        axis->ticks = (int)fmin(floor(axis->high / axis->step + 1e-9) - axis->first + 1, 1e6);
        axis->decimals = -(power - half) > 0 ? -(power - half) : 0;
        double largest = fmax(fabs(axis->low), fabs(axis->high));
        axis->digits = (int)fmin(fmax(floor(log10(largest)) - (power - half), 0), 15);
        if (largest >= 1e6 || axis->decimals > 5) axis->decimals = -1;
        if (axis->ticks <= most) return;
    }
}

void hg_axis_label(const hg_axis *axis, int i, char out[32])
{
    double value = (axis->first + i) * axis->step;
    if (axis->decimals >= 0) {
        snprintf(out, 32, "%.*f", axis->decimals, value == 0 ? 0 : value);  /* no "-0" */
        return;
    }
    if (value == 0) {
        snprintf(out, 32, "0");
        return;
    }
    char text[32];
    int power = 0;
    snprintf(text, sizeof text, "%.*e", axis->digits, value);
    char *e = strchr(text, 'e');
    sscanf(e + 1, "%d", &power);
    *e = 0;
    snprintf(out, 32, "%.20se%d", text, power);
}
