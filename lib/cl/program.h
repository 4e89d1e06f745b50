#ifndef HG_CL_PROGRAM_H
#define HG_CL_PROGRAM_H
typedef struct hg_source {
    const char *name;
    const char *text;
} hg_source;
#endif
