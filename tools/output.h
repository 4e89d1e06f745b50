/* Files that the programs write: folders, and files that are replaced whole or not at all. Errors go to stderr. */
#ifndef TOOLS_OUTPUT_H
#define TOOLS_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

/* A file being written beside its final place. */
typedef struct output_file {
    FILE *stream;
    char path[4096], temporary[4096 + 8];
} output_file;

bool output_open(output_file *f, const char *path);
/* Flushes, and renames the file into place; the file that was there before survives a failure. */
bool output_commit(output_file *f);
void output_abandon(output_file *f);

/* mkdir -p, and whether a file can be made there. */
bool output_folder(const char *path);
/* Whether a file of that path could be written. */
bool output_possible(const char *path);

/* "hapgop: text" on stderr; returns false. */
bool output_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
