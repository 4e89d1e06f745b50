#include "args.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *program_of(const arg_command *c)
{
    return c->program ? c->program : "hapgop";
}

void args_complain(const arg_command *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "%s %s: ", program_of(c), c->name);
    vfprintf(stderr, format, args);
    fprintf(stderr, "; see %s help %s\n", program_of(c), c->name);
    va_end(args);
}

static bool set_int(const arg_command *c, arg_option *o, const char *text)
{
    char *end;
    errno = 0;
    long long x = strtoll(text, &end, 10);
    if (end == text || *end || errno || (double)x < o->low || (double)x > o->high) {
        args_complain(c, "--%s %s: a whole number from %.0f to %.0f is needed", o->name, text, o->low, o->high);
        return false;
    }
    *(int64_t *)o->value = x;
    return true;
}

static bool set_real(const arg_command *c, arg_option *o, const char *text)
{
    char *end;
    double x = strtod(text, &end);
    if (end == text || *end || !isfinite(x) || x < o->low || x > o->high) {
        args_complain(c, "--%s %s: a number from %g to %g is needed", o->name, text, o->low, o->high);
        return false;
    }
    *(double *)o->value = x;
    return true;
}

static bool set_choice(const arg_command *c, arg_option *o, const char *text)
{
    char list[256] = "";
    for (int i = 0; o->choices[i]; i++) {
        if (!strcmp(o->choices[i], text)) {
            *(int *)o->value = i;
            return true;
        }
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", o->choices[i]);
    }
    args_complain(c, "--%s %s: one of %s is needed", o->name, text, list);
    return false;
}

static bool add_to_list(const arg_command *c, arg_option *o, const char *text)
{
    arg_list *list = o->value;
    if (list->count == ARG_LIST_MOST) {
        args_complain(c, "--%s is there more than %d times", o->name, ARG_LIST_MOST);
        return false;
    }
    list->items[list->count++] = text;
    return true;
}

bool args_set(const arg_command *c, arg_option *o, const char *text)
{
    switch (o->kind) {
    case ARG_FLAG: *(bool *)o->value = true; return true;
    case ARG_INT: return set_int(c, o, text);
    case ARG_REAL: return set_real(c, o, text);
    case ARG_CHOICE: return set_choice(c, o, text);
    case ARG_LIST: case ARG_TEXT: break;
    }
    if (!*text) {
        args_complain(c, "--%s: the value is empty", o->name);
        return false;
    }
    if (o->kind == ARG_LIST) return add_to_list(c, o, text);
    *(const char **)o->value = text;
    return true;
}

static arg_option *find(const arg_command *c, const char *name, size_t length)
{
    for (int i = 0; i < c->count; i++) {
        if (strlen(c->options[i].name) == length && !strncmp(c->options[i].name, name, length)) return &c->options[i];
    }
    return NULL;
}

/* The option at argv[*i], and its value if that is the next argument. */
static bool parse_option(arg_command *c, int argc, char **argv, int *i)
{
    const char *text = argv[*i] + 2, *equals = strchr(text, '=');
    size_t length = equals ? (size_t)(equals - text) : strlen(text);
    arg_option *o = strncmp(argv[*i], "--", 2) ? NULL : find(c, text, length);
    if (!o) {
        args_complain(c, "unknown option %s", argv[*i]);
        return false;
    }
    if (o->kind == ARG_FLAG && equals) {
        args_complain(c, "--%s takes no value", o->name);
        return false;
    }
    if (o->kind != ARG_FLAG && !equals && ++*i == argc) {
        args_complain(c, "--%s needs a value", o->name);
        return false;
    }
    o->given = true;
    return args_set(c, o, o->kind == ARG_FLAG ? "" : equals ? equals + 1 : argv[*i]);
}

arg_result args_parse(arg_command *c, int argc, char **argv, const char **rest, int *rest_count)
{
    bool options = true;
    *rest_count = 0;
    for (int i = 1; i < argc; i++) {
        if (!options || argv[i][0] != '-' || !argv[i][1]) {
            rest[(*rest_count)++] = argv[i];
        } else if (!strcmp(argv[i], "--")) {
            options = false;
        } else if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
            args_help(c);
            return ARGS_HELP;
        } else if (!parse_option(c, argc, argv, &i)) {
            return ARGS_BAD;
        }
    }
    return ARGS_OK;
}

enum { HELP_LEFT = 29, HELP_WIDTH = 110 }; /* columns: where help texts begin, and a line */

/* In lines that begin at HELP_LEFT; the first one is there already. */
static void print_wrapped(const char *text)
{
    int column = HELP_LEFT;
    while (*text) {
        int word = (int)strcspn(text, " ");
        if (column > HELP_LEFT && column + 1 + word > HELP_WIDTH) {
            printf("\n%*s", HELP_LEFT, "");
            column = HELP_LEFT;
        }
        column += printf("%s%.*s", column > HELP_LEFT ? " " : "", word, text);
        text += word;
        text += strspn(text, " ");
    }
    putchar('\n');
}

void args_help(const arg_command *c)
{
    printf("usage: %s %s%s%s\n\n%s\n", program_of(c), c->name, *c->usage ? " " : "", c->usage, c->about);
    if (c->count) printf("\noptions:\n");
    for (int i = 0; i < c->count; i++) {
        const arg_option *o = &c->options[i];
        char left[128];
        int n = snprintf(left, sizeof left, "--%s", o->name);
        if (o->placeholder) snprintf(left + n, sizeof left - (size_t)n, " %s", o->placeholder);
        for (int k = 0; o->choices && o->choices[k]; k++) {
            n = (int)strlen(left);
            snprintf(left + n, sizeof left - (size_t)n, "%c%s", k ? '|' : ' ', o->choices[k]);
        }
        int width = printf("  %s", left);
        if (width < HELP_LEFT)
            printf("%*s", HELP_LEFT - width, "");
        else
            printf("\n%*s", HELP_LEFT, "");
        print_wrapped(o->help);
    }
}
