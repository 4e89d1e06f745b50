/* How the program writes an accuracy: as CUDA divides an integer tensor by a number, which is by multiplying with its
 * reciprocal in single precision. 8573 of 10000 is 85.72999572753906 so, and 85.7300033569336 by a division. */
#include <math.h>

#include "train.h"

double train_accuracy(const train_evaluation *e)
{
    return e->total ? (double)((float)(100 * e->correct) * (1.0f / (float)e->total)) : NAN;
}
