/* SPDX-License-Identifier: Apache-2.0 */
#include "app/child.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"
#include "base/time.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ARGV_MAX = 32, LOG_LIMIT_BYTES = 1 << 20 };

static const uint64_t START_TIMEOUT_NS = 15 * FTRI_NS_PER_S;
static const uint64_t STOP_TIMEOUT_NS = 10 * FTRI_NS_PER_S;

static void pause_briefly(void)
{
    const struct timespec delay = {.tv_nsec = 10 * (long)FTRI_NS_PER_MS};
    nanosleep(&delay, NULL);
}

static void become(const char *const *argv, int log_fd)
{
    static char name[] = "flowtrace";
    char *words[ARGV_MAX + 2] = {name};
    for (size_t i = 0; argv[i] && i < ARGV_MAX; i++)
        words[i + 1] = (char *)(uintptr_t)argv[i];
    const int null_fd = open("/dev/null", O_RDONLY);
    if (null_fd >= 0 && dup2(null_fd, STDIN_FILENO) >= 0 && dup2(log_fd, STDOUT_FILENO) >= 0 &&
        dup2(log_fd, STDERR_FILENO) >= 0)
        execv("/proc/self/exe", words);
    _exit(127);
}

/* The parent may have ended before the kernel was asked to tell. */
static void follow_parent(pid_t parent)
{
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || getppid() != parent)
        _exit(127);
}

int child_start(struct child *self, const char *const *argv, const char *log_path, bool is_to_stay,
                struct ftri_error *error)
{
    FTRI_CLEANUP(ftri_file_closep)
    const int log_fd = open(log_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (log_fd < 0)
        return ftri_error_errno(error, -errno, "opening %.300s", log_path);
    const pid_t parent = getpid();
    const pid_t pid = fork();
    if (pid < 0)
        return ftri_error_errno(error, -errno, "starting a process");
    if (pid == 0) {
        setpgid(0, 0); /* Ctrl-C is for the demo, which then stops its children */
        if (!is_to_stay)
            follow_parent(parent);
        become(argv, log_fd);
    }
    *self = (struct child){.pid = pid, .log_path = log_path};
    return 0;
}

/* The rest of the first line that begins so. */
static bool find_line(const struct ftri_bytes *log, const char *before, char *ret_rest, size_t size)
{
    const size_t len = strlen(before);
    const char *line = (const char *)log->data;
    const char *const end = line + log->len;
    while (line && line < end) {
        const char *line_end = memchr(line, '\n', (size_t)(end - line));
        if (!line_end)
            return false;
        if ((size_t)(line_end - line) >= len && memcmp(line, before, len) == 0) {
            snprintf(ret_rest, size, "%.*s", (int)(line_end - line - (ptrdiff_t)len), line + len);
            return true;
        }
        line = line_end + 1;
    }
    return false;
}

static ftr_str last_line(const struct ftri_bytes *log)
{
    size_t end = log->len;
    while (end && log->data[end - 1] == '\n')
        end--;
    size_t start = end;
    while (start && log->data[start - 1] != '\n')
        start--;
    return (ftr_str){(const char *)log->data + start, end - start};
}

static bool has_ended(struct child *self)
{
    int status;
    if (self->pid == 0 || waitpid(self->pid, &status, WNOHANG) != self->pid)
        return self->pid == 0;
    self->pid = 0;
    return true;
}

int child_wait_line(struct child *self, const char *before, char *ret_rest, size_t size,
                    struct ftri_error *error)
{
    const uint64_t deadline = ftri_time_monotonic_ns() + START_TIMEOUT_NS;
    struct ftri_bytes log;
    ftri_bytes_init(&log, LOG_LIMIT_BYTES);
    int r = -ETIMEDOUT;
    for (bool is_last = false; !is_last && ftri_time_monotonic_ns() < deadline;) {
        is_last = has_ended(self);
        ftri_bytes_reset(&log);
        const int is_read = ftri_file_read(self->log_path, &log);
        if (is_read == 0 && find_line(&log, before, ret_rest, size)) {
            r = 0;
            break;
        }
        if (!is_last)
            pause_briefly();
        else
            r = -ECHILD;
    }
    const ftr_str line = last_line(&log);
    if (r < 0)
        ftri_error_set(error, r, "a part of the demo did not start: %.*s (all of it in %.200s)",
                       (int)ftri_size_min(line.len, 200), line.len ? line.data : "",
                       self->log_path);
    ftri_bytes_deinit(&log);
    return r;
}

void child_stop(struct child *self)
{
    if (self->pid == 0)
        return;
    kill(self->pid, SIGTERM);
    const uint64_t deadline = ftri_time_monotonic_ns() + STOP_TIMEOUT_NS;
    while (!has_ended(self) && ftri_time_monotonic_ns() < deadline)
        pause_briefly();
    if (self->pid == 0)
        return;
    kill(self->pid, SIGKILL);
    waitpid(self->pid, NULL, 0);
    self->pid = 0;
}
