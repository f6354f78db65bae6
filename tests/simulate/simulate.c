/* SPDX-License-Identifier: Apache-2.0
 *
 *     simulate seeds N [FIRST]    N runs from that seed on (1), each looked at after every step;
 *                                 some of them twice: a seed is the same run again
 *     simulate story SEED         one run, and every line of what happens in it
 *     simulate statements         leaves out each counting statement of the engine in turn: some
 * run has to break a rule */
#include "base/fault.h"
#include "loops.h"
#include "run.h"
#include "story.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TWICE_EVERY = 8, SEEDS_PER_STATEMENT = 60 };

static const char *program;

/* Each seed is a graph on one loop, and another one on several. */
static uint64_t run_both(uint64_t seed, struct run_totals *totals, struct loops_totals *loops)
{
    const uint64_t hash = run_seed(seed, program, totals);
    return hash * 31 + loops_seed(seed, program, loops);
}

static int run_seeds(uint64_t n, uint64_t first)
{
    struct run_totals totals = {0};
    struct loops_totals loops = {0};
    uint64_t all = 0;
    for (uint64_t seed = first; seed < first + n; seed++) {
        const uint64_t hash = run_both(seed, &totals, &loops);
        if (seed % TWICE_EVERY == 0 && run_both(seed, &totals, &loops) != hash) {
            printf("seed %llu: the second run was another one\n", (unsigned long long)seed);
            return 1;
        }
        all = all * 31 + hash;
    }
    printf("%llu seeds from %llu: %llu steps, %llu visits, %llu spans, %llu drains forced, %llu "
           "graphs failed; %016llx\n",
           (unsigned long long)n, (unsigned long long)first, (unsigned long long)totals.n_steps,
           (unsigned long long)totals.n_visits, (unsigned long long)totals.n_spans,
           (unsigned long long)totals.n_forced, (unsigned long long)totals.n_failed,
           (unsigned long long)all);
    printf("on several loops: %llu steps, %llu batches, %llu items across, %llu drains forced\n",
           (unsigned long long)loops.n_steps, (unsigned long long)loops.n_batches,
           (unsigned long long)loops.n_crossed, (unsigned long long)loops.n_forced);
    return 0;
}

#ifdef FTR_FAULTS
/* The exit status of runs without this statement in a process of its own: 1, a rule broke. */
static int run_without(const char *statement)
{
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        if (!freopen("/dev/null", "w", stdout))
            _Exit(2);
        ftri_fault_skip(statement);
        struct run_totals totals = {0};
        struct loops_totals loops = {0};
        for (uint64_t seed = 1; seed <= SEEDS_PER_STATEMENT; seed++)
            (void)run_both(seed, &totals, &loops);
        _Exit(0);
    }
    int status = 0;
    const bool has_ended = child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status);
    return has_ended ? WEXITSTATUS(status) : -1;
}

static int run_statements(void)
{
    size_t n = 0, n_unnoticed = 0;
    if (run_without(NULL) != 0) {
        printf("a rule is broken with all statements in place\n");
        return 1;
    }
    for (const char *statement; (statement = ftri_fault_statement(n)) != NULL; n++) {
        if (run_without(statement) == 1)
            continue;
        printf("nobody notices when this is left out: %s\n", statement);
        n_unnoticed++;
    }
    printf("%zu statements, %zu unnoticed\n", n, n_unnoticed);
    return n == 0 || n_unnoticed > 0;
}
#endif

static uint64_t number(const char *text, const char *variable, uint64_t otherwise)
{
    if (!text)
        text = getenv(variable);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

int main(int n_arguments, char **arguments)
{
    program = arguments[0];
    const char *const mode = n_arguments > 1 ? arguments[1] : "";
    const char *const n = n_arguments > 2 ? arguments[2] : NULL;
    if (strcmp(mode, "seeds") == 0)
        return run_seeds(number(n, "FTR_SIMULATE_SEEDS", 1000),
                         number(n_arguments > 3 ? arguments[3] : NULL, "FTR_SIMULATE_FIRST", 1));
    if (strcmp(mode, "story") == 0 && n) {
        story_aloud();
        return run_seeds(1, number(n, "", 0));
    }
#ifdef FTR_FAULTS
    if (strcmp(mode, "statements") == 0)
        return run_statements();
#endif
    fprintf(stderr, "usage: %s seeds [N [FIRST]] | story SEED | statements\n", program);
    return 2;
}
