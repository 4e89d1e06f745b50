#ifndef HAPGOP_DATA_H
#define HAPGOP_DATA_H
#include "hapgop/autograd.h"
#endif
