/* SPDX-License-Identifier: Apache-2.0
 *
 * flowtrace: one program, many commands. */
#include "app/commands.h"
#include "base/text.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static const struct command *const commands[] = {
    &command_serve, &command_run_graph, &command_validate,    &command_components,
    &command_env,   &command_trace_get, &command_trace_query, &command_lineage,
    &command_loss,  &command_demo,      &command_sink,
};

static void print_help(void)
{
    printf("usage: flowtrace COMMAND [options]\n\n"
           "Shows where every batch of data went, how long it waited, what was done to it,\n"
           "what came of it and where data was lost.\n\ncommands:\n");
    for (size_t i = 0; i < FTRI_COUNT(commands); i++)
        printf("  %-14s %s\n", commands[i]->name, commands[i]->sentence);
    printf("\n'flowtrace COMMAND --help' tells more, 'flowtrace help node [TYPE]' of nodes.\n"
           "Start with 'flowtrace demo'.\n");
}

/* How many words of argv are the command's name; 0: they are not. */
static int match(const struct command *command, int argc, char **argv)
{
    const char *name = command->name;
    for (int i = 0; i < argc; i++) {
        const size_t len = strlen(argv[i]);
        if (strncmp(name, argv[i], len) != 0)
            return 0;
        if (name[len] == '\0')
            return i + 1;
        if (name[len] != ' ')
            return 0;
        name += len + 1;
    }
    return 0;
}

static bool is_in_group(const struct command *command, const char *word)
{
    const size_t len = strlen(word);
    return strncmp(command->name, word, len) == 0 && command->name[len] == ' ';
}

/* "trace" is a group, as there is "trace get". */
static bool is_group(const char *word)
{
    for (size_t i = 0; i < FTRI_COUNT(commands); i++)
        if (is_in_group(commands[i], word))
            return true;
    return false;
}

static void print_group(const char *word)
{
    printf("usage: flowtrace %s COMMAND [options]\n\ncommands:\n", word);
    for (size_t i = 0; i < FTRI_COUNT(commands); i++)
        if (is_in_group(commands[i], word))
            printf("  %-14s %s\n", commands[i]->name, commands[i]->sentence);
}

static int unknown_command(int argc, char **argv)
{
    const char *names[FTRI_COUNT(commands)];
    for (size_t i = 0; i < FTRI_COUNT(commands); i++)
        names[i] = commands[i]->name;
    char word[64];
    snprintf(word, sizeof word, "%s%s%s", argv[0], argc > 1 && argv[1][0] != '-' ? " " : "",
             argc > 1 && argv[1][0] != '-' ? argv[1] : "");
    const char *shown = is_group(argv[0]) ? word : argv[0];
    const char *nearest = ftri_text_nearest(word, names, FTRI_COUNT(names));
    if (!nearest)
        nearest = ftri_text_nearest(argv[0], names, FTRI_COUNT(names));
    if (nearest)
        return fail(2, "unknown command '%s'; did you mean '%s'?", shown, nearest);
    return fail(2, "unknown command '%s'; see 'flowtrace --help'", shown);
}

static int dispatch(int argc, char **argv)
{
    for (size_t i = 0; i < FTRI_COUNT(commands); i++) {
        const int n = match(commands[i], argc, argv);
        if (n)
            return command_run(commands[i], argc - n, argv + n);
    }
    if ((argc == 1 || strcmp(argv[1], "--help") == 0) && is_group(argv[0])) {
        print_group(argv[0]);
        return argc == 1 ? 2 : 0;
    }
    return unknown_command(argc, argv);
}

static int run(int argc, char **argv)
{
    if (argc < 2) {
        print_help();
        return 2;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        (strcmp(argv[1], "help") == 0 && (argc == 2 || strcmp(argv[2], "help") == 0))) {
        print_help();
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("flowtrace %s\n", FTR_VERSION);
        return 0;
    }
    if (argc > 2 && strcmp(argv[1], "help") == 0 && strcmp(argv[2], "node") == 0) {
        char components[] = "components";
        argv[2] = components; /* with a type: that one's options */
        return dispatch(argc - 2, argv + 2);
    }
    if (strcmp(argv[1], "help") == 0) {
        char help[] = "--help";
        char *words[] = {argv[2], argc > 3 ? argv[3] : help, help};
        return dispatch(argc > 3 ? 3 : 2, words);
    }
    return dispatch(argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    const int status = run(argc, argv);
    if (fflush(stdout) != 0 || ferror(stdout))
        return fail(1, "printing: %s", strerror(errno));
    return status;
}
