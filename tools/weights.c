/* `hapgop weights`: the command line. */
#include "weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "commands.h"
#include "output.h"

static const char about[] =
    "Looks into files of weights: .pth of PyTorch, safetensors, .npz, .npy. The content tells the format; nothing in\n"
    "a file is ever executed.\n"
    "\n"
    "  list FILE               every tensor with its type, shape and size\n"
    "  check FILE --arch NAME  whether a network of hapgop model --list takes it, in PyTorch's words; exit code 1 if\n"
    "                          not\n"
    "  convert IN OUT          OUT's extension tells its format; names, order, types and bits stay\n"
    "  diff A B                names, order, types, shapes and bits: exit code 1 if they differ, 2 if one cannot be\n"
    "                          read\n"
    "\n"
    "FROM=TO renames: FROM is the beginning of a name up to a dot, or a whole name; \"backbone.=\" takes a prefix\n"
    "off. With '*' FROM is a pattern of whole names: \"*.gamma=*.weight\". Rules are used in their order, on A alone\n"
    "for diff.";

enum { LIST = 1, CHECK = 2, CONVERT = 4, DIFF = 8, ALL = 15 };

static const struct action {
    const char *name;
    int group, files;
    int (*run)(const weights_options *o);
} actions[] = {
    {"list", LIST, 1, weights_list},
    {"check", CHECK, 1, weights_check},
    {"convert", CONVERT, 2, weights_convert},
    {"diff", DIFF, 2, weights_diff},
};

static const struct action *find_action(const arg_command *c, const char **rest, int count)
{
    if (!count) {
        args_complain(c, "say what to do: list, check, convert or diff");
        return NULL;
    }
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        const struct action *a = &actions[i];
        if (strcmp(a->name, rest[0])) continue;
        if (count - 1 == a->files) return a;
        args_complain(c, a->files == 1 ? "%s takes one file" : "%s takes two files", a->name);
        return NULL;
    }
    args_complain(c, "unknown action %s: list, check, convert or diff", rest[0]);
    return NULL;
}

static bool check_options(const arg_command *c, const struct action *a, const weights_options *o)
{
    for (int i = 0; i < c->count; i++) {
        if (!c->options[i].given || c->options[i].group & a->group) continue;
        args_complain(c, "--%s is not for %s", c->options[i].name, a->name);
        return false;
    }
    if (a->group != CHECK || o->arch) return true;
    args_complain(c, "check needs --arch: a network that hapgop model --list has");
    return false;
}

/* "FROM=TO" at the first '='; the texts are new memory, freed with the rules. */
static bool add_rules(const arg_command *c, const arg_list *list, hg_rename *rules)
{
    for (int i = 0; i < list->count; i++) {
        const char *equals = strchr(list->items[i], '=');
        if (!equals || equals == list->items[i]) {
            args_complain(c, "--rename %s: FROM=TO is needed", list->items[i]);
            return false;
        }
        rules[i].from = strndup(list->items[i], (size_t)(equals - list->items[i]));
        rules[i].to = equals + 1;
        if (!rules[i].from) return output_error("out of memory");
    }
    return true;
}

static int run(const arg_command *c, const arg_list *list, const char **rest, int count, weights_options *o)
{
    hg_rename rules[ARG_LIST_MOST] = {0};
    const struct action *a = find_action(c, rest, count);
    if (!a || !check_options(c, a, o)) return 2;
    int code = 2;
    for (int i = 0; i < a->files; i++) o->files[i] = rest[1 + i];
    o->open.renames = rules;
    o->open.rename_count = list->count;
    if (add_rules(c, list, rules)) code = a->run(o);
    for (int i = 0; i < list->count; i++) free((void *)rules[i].from);
    return code;
}

int weights_command(int argc, char **argv)
{
    weights_options o = {0};
    arg_list rules = {0};
    arg_option options[] = {
        {"key", ARG_TEXT, &o.open.key, "KEY", "the part of a checkpoint to take: model_state_dict", .group = ALL},
        {"strip", ARG_TEXT, &o.open.strip, "PREFIX", "take it off the names that begin with it: module.", .group = ALL},
        {"rename", ARG_LIST, &rules, "FROM=TO", "rename; may be given several times", .group = ALL},
        {"arch", ARG_TEXT, &o.arch, "NAME", "the network to check against", .group = CHECK},
        {"classes", ARG_INT, &o.classes, "N", "its number of classes (its own)", 1, 1e6, .group = CHECK},
        {"aux-logits", ARG_FLAG, &o.aux_logits, .help = "GoogLeNet with its two more classifiers", .group = CHECK},
        {"device", ARG_TEXT, &o.device, "DEVICE", "where the network is made", .group = CHECK},
        {"json", ARG_FLAG, &o.json, .help = "print JSON", .group = ALL},
    };
    arg_command command = {"weights", "list|check|convert|diff FILE... [OPTIONS]", about, options,
                           sizeof options / sizeof *options};
    const char *rest[argc];
    int count;
    arg_result parsed = args_parse(&command, argc, argv, rest, &count);
    if (parsed != ARGS_OK) return parsed == ARGS_HELP ? 0 : 2;
    return run(&command, &rules, rest, count, &o);
}
