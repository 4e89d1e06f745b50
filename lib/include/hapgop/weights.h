#ifndef HAPGOP_WEIGHTS_H
#define HAPGOP_WEIGHTS_H
#include "hapgop/autograd.h"
#endif
