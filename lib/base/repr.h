/* Floating-point numbers as text, with '.' as decimal point whatever the locale. */
#ifndef HG_BASE_REPR_H
#define HG_BASE_REPR_H

#include <stdbool.h>

#define HG_REPR_SIZE 32     /* enough for every result of the first three, NUL included */

/* Python's repr of a float: the shortest text that reads back as v; "0.1", "1e-05", "2.0", "nan", "-inf". Returns
 * the length. */
int hg_repr_double(double v, char out[HG_REPR_SIZE]);

/* The same for single precision, as NumPy prints a numpy.float32: "0.1" although (double)0.1f is another number. */
int hg_repr_float(float v, char out[HG_REPR_SIZE]);

/* The digits d1 d2 d3 ... of the shortest decimal d1.d2d3... * 10^*exponent that reads back as |v|, without trailing
 * zeros ("0" for 0). `single`: that reads back as a float, v being one. v is finite. Returns the number of digits. */
int hg_shortest_digits(double v, bool single, char digits[HG_REPR_SIZE], int *exponent);

/* printf's %.*f (conversion 'f') or %.*e ('e'), cut to `size`. Returns the length. */
int hg_format_real(double v, int decimals, char conversion, char *out, int size);

#endif
