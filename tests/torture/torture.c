/* SPDX-License-Identifier: Apache-2.0
 *
 *     torture.NAME SEAM [MOST]      fails call 1, 2, ... of the seam, each in a process of its own;
 *                                   of more than MOST calls, a choice of MOST
 *     torture.NAME once SEAM N DIR  one run in the empty directory DIR; N 0: nothing fails
 *
 * The first form counts the calls of a run in which nothing fails, then starts the second form once
 * a call. This process makes no thread and does nothing but start, wait and report; a run that
 * takes longer than the limit has hung and is killed. */
#include "torture.h"

#include "sockets.h"

#include "base/mem.h"
#include "base/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LIMIT_MS = 120 * 1000, FAILURES_MOST = 5, REPORT_BYTES = 64, ERRORS_BYTES = 4000 };

extern char **environ;

/* ---- one run ---- */

struct seam {
    const char *name;
    void (*fail_at)(uint64_t n);
    uint64_t (*count)(void);
    int error;
};

static const struct seam seams[] = {
    {"memory", ftri_mem_fail_at, ftri_mem_requests, -ENOMEM},
    {"thread", ftri_thread_fail_at, ftri_thread_starts, -EAGAIN},
    {"socket", sockets_fail_at, sockets_count, -EIO},
};

static struct {
    const struct seam *seam;
    uint64_t chosen; /* 0: none */
    uint64_t n_calls;
    bool is_begun, is_over;
} run;

void torture_begin(void)
{
    EXPECT(!run.is_begun);
    run.is_begun = true;
    run.seam->fail_at(run.chosen ? run.chosen : UINT64_MAX);
}

void torture_end(void)
{
    EXPECT(run.is_begun && !run.is_over);
    run.is_over = true;
    run.n_calls = run.seam->count();
    run.seam->fail_at(0);
}

bool torture_has_struck(void)
{
    return run.chosen && run.n_calls >= run.chosen;
}

int torture_errno(void)
{
    return run.seam->error;
}

void torture_fail(const char *file, int line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s:%d: ", file, line);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    fflush(stderr);
    _exit(1);
}

static int run_once(const struct seam *seam, const char *n, const char *directory)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    run.seam = seam;
    run.chosen = strtoull(n, NULL, 10);
    if (chdir(directory) < 0)
        torture_fail(__FILE__, __LINE__, "%s: %s", directory, strerror(errno));
    torture_run();
    EXPECT(run.is_over);
    printf("%llu\n", (unsigned long long)run.n_calls);
    return fflush(stdout) == 0 ? 0 : 1; /* now leaks are looked for */
}

/* ---- all runs ---- */

struct outcome {
    bool is_good;
    uint64_t n_calls; /* of a good one */
    char text[64];    /* of a bad one */
};

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status, (void)kind, (void)place;
    return remove(path);
}

/* Reads to the end, which comes when the process ends. False: it takes too long. */
static bool read_report(int fd, char report[REPORT_BYTES])
{
    size_t len = 0;
    memset(report, 0, REPORT_BYTES);
    struct pollfd entry = {.fd = fd, .events = POLLIN};
    for (;;) {
        if (poll(&entry, 1, LIMIT_MS) == 0)
            return false;
        const ssize_t n = read(fd, report + len, REPORT_BYTES - 1 - len);
        if (n <= 0)
            return true;
        len += (size_t)n;
    }
}

static void judge(int status, const char *report, struct outcome *outcome)
{
    char *end = NULL;
    outcome->n_calls = strtoull(report, &end, 10);
    outcome->is_good = WIFEXITED(status) && WEXITSTATUS(status) == 0 && end > report;
    if (WIFSIGNALED(status))
        snprintf(outcome->text, sizeof outcome->text, "killed by signal %d", WTERMSIG(status));
    else
        snprintf(outcome->text, sizeof outcome->text, "exit status %d", WEXITSTATUS(status));
}

/* Two places of one run, in memory where there is such a place: no run is about a disk's speed. */
struct scratch {
    char root[32];
    char work[48];
    char errors[48];
};

static void scratch_init(struct scratch *self)
{
    const char *parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(self->root, sizeof self->root, "%s/torture-XXXXXX", parent);
    EXPECT(mkdtemp(self->root) != NULL);
    snprintf(self->work, sizeof self->work, "%s/work", self->root);
    snprintf(self->errors, sizeof self->errors, "%s/stderr", self->root);
    EXPECT(mkdir(self->work, 0700) == 0);
}

static void scratch_deinit(const struct scratch *self)
{
    EXPECT(nftw(self->root, remove_entry, 16, FTW_DEPTH | FTW_PHYS) == 0);
}

/* The beginning, where the first of them is. */
static void print_errors(const struct scratch *scratch)
{
    char text[ERRORS_BYTES];
    const int fd = open(scratch->errors, O_RDONLY | O_CLOEXEC);
    const ssize_t n = fd >= 0 ? read(fd, text, sizeof text) : 0;
    if (n > 0)
        fwrite(text, 1, (size_t)n, stdout);
    close(fd);
}

/* report_fd becomes its standard output. */
static pid_t start(const char *seam, uint64_t n, const struct scratch *scratch, int report_fd)
{
    char number[24];
    snprintf(number, sizeof number, "%llu", (unsigned long long)n);
    const char *const arguments[] = {"torture", "once", seam, number, scratch->work, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, report_fd, STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, scratch->errors,
                                     O_WRONLY | O_CREAT | O_APPEND, 0600);
    pid_t pid = -1;
    const int r = posix_spawn(&pid, "/proc/self/exe", &actions, NULL,
                              (char *const *)(uintptr_t)arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    EXPECT_THAT(r == 0, "starting a run: %s", strerror(r));
    return pid;
}

static struct outcome run_with(const char *seam, uint64_t n)
{
    struct outcome outcome = {.text = "it hangs"};
    struct scratch scratch;
    scratch_init(&scratch);
    int report_fds[2];
    EXPECT(pipe2(report_fds, O_CLOEXEC) == 0);
    const pid_t pid = start(seam, n, &scratch, report_fds[1]);
    close(report_fds[1]);
    char report[REPORT_BYTES];
    const bool is_in_time = read_report(report_fds[0], report);
    close(report_fds[0]);
    if (!is_in_time)
        kill(pid, SIGKILL);
    int status = 0;
    EXPECT(waitpid(pid, &status, 0) == pid);
    if (is_in_time)
        judge(status, report, &outcome);
    if (!outcome.is_good)
        print_errors(&scratch);
    scratch_deinit(&scratch);
    return outcome;
}

/* The i-th of n_runs numbers out of 1 to n_calls: a third are the first ones, where set-up is; the
 * others are spread over the rest, the last included. */
static uint64_t choose(uint64_t i, uint64_t n_runs, uint64_t n_calls)
{
    const uint64_t n_first = n_runs == n_calls ? n_runs : n_runs / 3;
    if (i < n_first)
        return i + 1;
    return n_first + (n_calls - n_first) * (i + 1 - n_first) / (n_runs - n_first);
}

static int run_all(const char *name, const char *seam, uint64_t most)
{
    const struct outcome good = run_with(seam, 0);
    EXPECT_THAT(good.is_good, "%s fails when nothing fails: %s", name, good.text);
    EXPECT_THAT(good.n_calls, "%s makes no %s call", name, seam);
    const uint64_t n_runs = good.n_calls < most ? good.n_calls : most;
    uint64_t n_failures = 0, n_struck = 0;
    for (uint64_t i = 0; i < n_runs && n_failures < FAILURES_MOST; i++) {
        const uint64_t n = choose(i, n_runs, good.n_calls);
        const struct outcome outcome = run_with(seam, n);
        n_struck += outcome.is_good && outcome.n_calls >= n;
        if (outcome.is_good)
            continue;
        n_failures++;
        printf("^ %s, %s call %llu of %llu failing: %s\n\n", name, seam, (unsigned long long)n,
               (unsigned long long)good.n_calls, outcome.text);
    }
    printf("%s: %llu %s calls; %llu runs, a call failed in %llu of them; %llu went wrong\n", name,
           (unsigned long long)good.n_calls, seam, (unsigned long long)n_runs,
           (unsigned long long)n_struck, (unsigned long long)n_failures);
    return n_failures ? 1 : 0;
}

static const struct seam *find_seam(const char *name)
{
    for (size_t i = 0; i < FTRI_COUNT(seams); i++)
        if (strcmp(seams[i].name, name) == 0)
            return &seams[i];
    torture_fail(__FILE__, __LINE__, "there is no seam %s", name);
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc == 5 && strcmp(argv[1], "once") == 0)
        return run_once(find_seam(argv[2]), argv[3], argv[4]);
    if (argc != 2 && argc != 3) {
        fprintf(stderr, "usage: %s memory|thread|socket [MOST]\n       %s once SEAM N DIR\n",
                argv[0], argv[0]);
        return 2;
    }
    const char *slash = strrchr(argv[0], '/');
    return run_all(slash ? slash + 1 : argv[0], find_seam(argv[1])->name,
                   argc == 3 ? strtoull(argv[2], NULL, 10) : UINT64_MAX);
}
