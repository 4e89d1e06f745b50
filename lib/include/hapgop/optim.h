#ifndef HAPGOP_OPTIM_H
#define HAPGOP_OPTIM_H
#include "hapgop/autograd.h"
#endif
