#ifndef HAPGOP_NN_H
#define HAPGOP_NN_H
#include "hapgop/autograd.h"
#endif
