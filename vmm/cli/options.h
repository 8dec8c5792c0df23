/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options of a command as a table of rows, by which the command line is parsed and the help is
 * written.
 *
 * Syntax, as for docker: --name V, --name=V, -n V, -nV, -n=V, flags together (-it), a flag may be
 * given a truth value (--tty=false). Options end at the first operand or at "--". Long names are
 * never abbreviated: a script that works keeps working when options are added.
 */
#ifndef MICROVM_CLI_OPTIONS_H
#define MICROVM_CLI_OPTIONS_H

#include <stddef.h>
#include <stdio.h>

#include "vmm/base/error.h"

/* What a row stores at its offset; text stays in argv. */
enum option_kind {
    OPTION_FLAG,     /* bool */
    OPTION_TEXT,     /* const char *; the last one counts */
    OPTION_OPTIONAL, /* const char *; a value only by "=", "" without */
    OPTION_LIST,     /* struct string_list: all, in order */
    OPTION_SIZE,     /* uint64_t: bytes, by parse_size() */
};

struct option_row {
    char letter; /* short name, 0 = none */
    enum option_kind kind;
    const char *name;  /* long name, without dashes */
    const char *value; /* what the help calls the value; NULL for a flag */
    const char *help;  /* NULL: an internal option, not in the help */
    size_t offset;     /* in the command's struct of options */
};

/* Options of another command, which this one passes on to it. */
struct option_pass {
    const struct option_table *table; /* that command's */
    size_t offset;                    /* of that command's struct of options in `target` */
    size_t list_offset; /* of a struct string_list in `target`: "--name=value" of each, in order */
    const char *title;  /* heading in the help */
    const char *(*refusal)(const char *name); /* why it cannot be passed on; NULL = it can */
};

struct option_table {
    const char *usage; /* "run [OPTIONS] IMAGE [COMMAND] [ARGUMENT...]" */
    const char *about; /* lines of text below the usage */
    const char *more;  /* lines of text at the end, NULL = none */
    const struct option_row *rows;
    size_t count;
    const struct option_pass *pass; /* NULL = none */
};

/*
 * Parses argv[1]... into `target`. Returns the index of the first operand (argc when there is
 * none), or 0 when --help was met: then the help is on standard output and the command is done.
 * Errors: EINVAL, ERANGE (a message that names the option), ENOMEM. The caller releases the lists
 * in `target` whatever is returned.
 */
int options_parse(const struct option_table *table, int argc, char **argv, void *target,
                  struct error *err);

/* Writes the help text. */
void options_write_help(const struct option_table *table, FILE *out);

#endif
