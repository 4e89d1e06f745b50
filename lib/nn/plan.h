/* What a compiled network does, step after step. */
#ifndef HG_NN_PLAN_H
#define HG_NN_PLAN_H

#include "nn/flow.h"

typedef enum hg_step_kind {
    HG_STEP_INPUT,  /* the network's: step 0 */
    HG_STEP_CONV,   /* a Conv2d with what was fused into it */
    HG_STEP_MODULE, /* a module as it is, with its hooks */
    HG_STEP_OP      /* an operation of hg_flow_op */
} hg_step_kind;

/* A step gives one value, by whose index others take it as an input. */
typedef struct hg_step {
    hg_step_kind kind;
    hg_module *module; /* of CONV and MODULE */
    int in[HG_FLOW_INPUTS], inputs;
    hg_module *norm; /* CONV: the BatchNorm2d folded into it; NULL: none */
    bool add, relu;  /* CONV: in[1] is added before ReLU; ReLU follows */
    hg_flow_op op;
    hg_flow_argument argument;
    bool in_place;            /* OP: ReLU, on a value that nobody else sees */
    bool gone;                /* fused into another one */
    int last;                 /* the step that takes its value last; -1: it is the result */
    hg_tensor *weight, *bias; /* CONV with norm: folded */
    uint64_t stamp;           /* what they were made of */
} hg_step;

typedef struct hg_plan {
    hg_step *steps;
    int count, output;
    size_t capacity;
    int norms, relus, sums; /* fused */
} hg_plan;

/* Records and fuses the steps of a network in evaluation mode. The plan is empty before; free it also on failure. */
hg_status hg_plan_record(hg_plan *p, hg_module *m);
void hg_plan_free(hg_plan *p);

#endif
