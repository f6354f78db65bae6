/* SPDX-License-Identifier: Apache-2.0 */
#include "app/arguments.h"

#include "base/mem.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { ROWS_MAX = 32, OPERANDS_MAX = 16 };

int fail(int status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("flowtrace: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return status;
}

static void print_help(const struct command *command)
{
    printf("usage: flowtrace %s%s%s%s\n\n%s\n", command->name, command->n_rows ? " [options]" : "",
           command->operands[0] ? " " : "", command->operands, command->sentence);
    if (command->text)
        printf("\n%s\n", command->text);
    printf("\noptions:\n");
    for (size_t i = 0; i < command->n_rows; i++) {
        const struct argument *row = &command->rows[i];
        char left[48];
        snprintf(left, sizeof left, "--%s%s%s", row->name, row->value ? " " : "",
                 row->value ? row->value : "");
        printf("  %-24s %s\n", left, row->sentence);
    }
    printf("  %-24s %s\n", "--help", "Show this.");
}

/* given: "--option=value", "-o". */
static int unknown_option(const struct command *command, const char *given)
{
    char word[64];
    const size_t n_dashes = strspn(given, "-");
    snprintf(word, sizeof word, "%.*s", (int)strcspn(given + n_dashes, "="), given + n_dashes);
    const char *names[ROWS_MAX];
    for (size_t i = 0; i < command->n_rows && i < ROWS_MAX; i++)
        names[i] = command->rows[i].name;
    const char *nearest = ftri_text_nearest(word, names, ftri_size_min(command->n_rows, ROWS_MAX));
    if (nearest)
        return fail(2, "unknown option '%.*s%s'; did you mean '--%s'?", (int)n_dashes, given, word,
                    nearest);
    return fail(2, "unknown option '%.*s%s'; see 'flowtrace %s --help'", (int)n_dashes, given, word,
                command->name);
}

static const struct argument *find_row(const struct command *command, const char *word, size_t len)
{
    for (size_t i = 0; i < command->n_rows; i++)
        if (strlen(command->rows[i].name) == len && memcmp(command->rows[i].name, word, len) == 0)
            return &command->rows[i];
    return NULL;
}

static int store_value(const struct argument *row, const char *text, void *target)
{
    if (!row->is_repeated) {
        *(const char **)target = text;
        return 0;
    }
    struct argument_values *const values = target;
    if (values->n == ARGUMENT_VALUES_MAX)
        return fail(2, "option '--%s' was given more than %d times", row->name,
                    (int)ARGUMENT_VALUES_MAX);
    values->items[values->n++] = text;
    return 0;
}

/* Reads argv[*i], an option, and its value; moves *i to the last word used. */
static int read_option(const struct command *command, char **argv, int argc, int *i, void *options)
{
    const char *word = argv[*i] + 2;
    const char *equals = strchr(word, '=');
    const struct argument *row =
        find_row(command, word, equals ? (size_t)(equals - word) : strlen(word));
    if (!row)
        return unknown_option(command, argv[*i]);
    void *target = (char *)options + row->offset;
    if (!row->value) {
        if (equals)
            return fail(2, "option '--%s' takes no value", row->name);
        *(bool *)target = true;
        return 0;
    }
    if (!equals && *i + 1 >= argc)
        return fail(2, "option '--%s' needs a value: %s", row->name, row->value);
    return store_value(row, equals ? equals + 1 : argv[++*i], target);
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

int command_run(const struct command *command, int argc, char **argv)
{
    if (asks_for_help(argc, argv)) {
        print_help(command);
        return 0;
    }
    FTRI_CLEANUP(ftri_freep) void *options = ftri_zalloc(command->options_size);
    if (!options)
        return fail(1, "memory is short");
    const char *operands[OPERANDS_MAX];
    size_t n_operands = 0;
    bool is_over = false;
    for (int i = 0; i < argc; i++) {
        if (!is_over && strcmp(argv[i], "--") == 0) {
            is_over = true;
        } else if (!is_over && strncmp(argv[i], "--", 2) == 0) {
            const int r = read_option(command, argv, argc, &i, options);
            if (r != 0)
                return r;
        } else if (!is_over && argv[i][0] == '-' && argv[i][1]) {
            return unknown_option(command, argv[i]);
        } else if (n_operands < command->n_operands_max && n_operands < OPERANDS_MAX) {
            operands[n_operands++] = argv[i];
        } else {
            return fail(2, "unexpected '%s'; see 'flowtrace %s --help'", argv[i], command->name);
        }
    }
    if (n_operands < command->n_operands_min)
        return fail(2, "missing %s; see 'flowtrace %s --help'", command->operands, command->name);
    return command->run(options, operands, n_operands);
}
