#ifndef HAPGOP_OPS_H
#define HAPGOP_OPS_H
#include "hapgop/autograd.h"
#endif
