/* The commands of the hapgop program. Each gets its own name as argv[0], prints its own errors, and returns the exit
 * code: 0; 1 if something failed; 2 if the command line is wrong; 130 if it was interrupted. */
#ifndef TOOLS_COMMANDS_H
#define TOOLS_COMMANDS_H

int devices_command(int argc, char **argv);
int model_command(int argc, char **argv);
int predict_command(int argc, char **argv);
int standin_command(int argc, char **argv);
int train_command(int argc, char **argv);
int transfer_command(int argc, char **argv);
int tune_command(int argc, char **argv);
int weights_command(int argc, char **argv);

/* How the user called the program: argv[0] of main. */
extern const char *program_name;

#endif
