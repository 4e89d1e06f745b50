/* Options of the commands of hapgop and of the parts of hapgop-bench: long ones, with values as "--name VALUE" or "--name=VALUE". */
#ifndef TOOLS_ARGS_H
#define TOOLS_ARGS_H

#include <stdbool.h>
#include <stdint.h>

typedef enum arg_kind {
    ARG_FLAG,       /* bool: present or not, takes no value */
    ARG_INT,        /* int64_t in [low, high] */
    ARG_REAL,       /* double, finite, in [low, high] */
    ARG_TEXT,       /* const char *, not empty */
    ARG_CHOICE,     /* int: the index in `choices` */
    ARG_LIST        /* arg_list: not empty, one more each time the option is given */
} arg_kind;

enum { ARG_LIST_MOST = 256 };

typedef struct arg_list {
    const char *items[ARG_LIST_MOST];
    int count;
} arg_list;

typedef struct arg_option {
    const char *name;               /* without the dashes */
    arg_kind kind;
    void *value;                    /* where it goes; what is there before is the default */
    const char *placeholder;        /* "N", "DIR"; NULL for flags and choices */
    const char *help;
    double low, high;
    const char *const *choices;     /* ends with NULL */
    int group;                      /* the command's own use */
    bool given;                     /* set when it was on the command line */
} arg_option;

typedef struct arg_command {
    const char *name;               /* "train" */
    const char *usage;              /* "MODEL [OPTIONS]" */
    const char *about;              /* what help says above the options */
    arg_option *options;
    int count;
    const char *program;            /* NULL: "hapgop" */
} arg_command;

typedef enum arg_result { ARGS_OK, ARGS_HELP, ARGS_BAD } arg_result;

/* argv[0] is the command. What is no option goes to `rest`, which has room for argc; "--" ends the options.
 * ARGS_HELP: -h or --help was there, and the help is printed. ARGS_BAD: one line on stderr says what is wrong. */
arg_result args_parse(arg_command *c, int argc, char **argv, const char **rest, int *rest_count);

/* Reads one value of an option, as from the command line; says on stderr what is wrong with it. */
bool args_set(const arg_command *c, arg_option *o, const char *text);

void args_help(const arg_command *c);

/* "PROGRAM NAME: text; see PROGRAM help NAME" on stderr. */
void args_complain(const arg_command *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
