#ifndef HAPGOP_IMAGE_H
#define HAPGOP_IMAGE_H
#include "hapgop/autograd.h"
#endif
