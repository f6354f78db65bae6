/* SPDX-License-Identifier: Apache-2.0
 *
 * main() of every fuzz target, for a compiler without libFuzzer (gcc); the options are libFuzzer's
 * where it has them:
 *
 *     fuzz-NAME [-mutations=N] [-max_total_time=SECONDS] CORPUS_FOLDER...
 *
 * gives each file of the folders to LLVMFuzzerTestOneInput, then N changed copies of each, then
 * changes inputs for SECONDS and keeps those that reach edges nothing has reached before. (With
 * -fsanitize-coverage=trace-pc we are called at every edge; without it the search is blind.) An
 * input that crashes, or runs for longer than RUN_LIMIT_S, is written to fuzz-NAME.crash in the
 * current folder. One thread; the same corpus gives the same search. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    INPUT_MAX = 64 * 1024,
    CORPUS_MAX = 4096,
    N_EDGES = 1 << 16,
    MOST_CHANGES = 6,
    RUN_LIMIT_S = 10,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
void __sanitizer_cov_trace_pc(void);
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

struct input {
    uint8_t *data;
    size_t size;
};

static struct input corpus[CORPUS_MAX];
static size_t n_corpus;
static uint8_t edges[N_EDGES]; /* reached by the current run */
static uint8_t known[N_EDGES]; /* reached by any */
static uintptr_t previous_pc;
static uint8_t current[INPUT_MAX];
static size_t current_size;
static char crash_path[256];
static uint64_t dice = 88172645463325252U;

/* Called by the code under test at every edge. */
__attribute__((no_sanitize("address", "undefined"), no_sanitize_coverage)) void
__sanitizer_cov_trace_pc(void)
{
    const uintptr_t pc = (uintptr_t)__builtin_return_address(0);
    edges[((pc ^ (previous_pc << 1)) * 0x9e3779b1U >> 8) % N_EDGES] = 1;
    previous_pc = pc;
}

/* xorshift64. */
static size_t below(size_t n)
{
    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    return n ? (size_t)(dice % n) : 0;
}

/* Async-signal-safe: this runs while the process dies. */
static void save_crash(void)
{
    const int file = open(crash_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file < 0)
        return;
    if (write(file, current, current_size) == (ssize_t)current_size)
        (void)!write(STDERR_FILENO, "fuzz: input saved\n", 18);
    close(file);
}

static void on_signal(int number)
{
    save_crash();
    signal(number, SIG_DFL);
    raise(number);
}

/* On a block that ends where the input ends: a sanitizer sees the first byte read beyond it. */
static void run_copy(void)
{
    uint8_t *copy = malloc(current_size ? current_size : 1);
    if (!copy)
        return;
    memcpy(copy, current, current_size);
    (void)LLVMFuzzerTestOneInput(copy, current_size);
    free(copy);
}

/* Runs the current input; true when it reached something new. */
static bool run_current(void)
{
    memset(edges, 0, sizeof edges);
    previous_pc = 0;
    alarm(RUN_LIMIT_S);
    run_copy();
    alarm(0);
    bool is_new = false;
    for (size_t i = 0; i < N_EDGES; i++) {
        is_new |= edges[i] > known[i];
        known[i] |= edges[i];
    }
    return is_new;
}

static void keep_current(void)
{
    /* A full corpus forgets at random. */
    const size_t place = n_corpus < CORPUS_MAX ? n_corpus : below(CORPUS_MAX);
    uint8_t *copy = malloc(current_size ? current_size : 1);
    if (!copy)
        return;
    memcpy(copy, current, current_size);
    free(corpus[place].data);
    corpus[place] = (struct input){copy, current_size};
    n_corpus += place == n_corpus;
}

/* Opens a gap of n bytes at a place, as far as there is room; the size of the gap. */
static size_t open_gap(size_t place, size_t n)
{
    if (n > INPUT_MAX - current_size)
        n = INPUT_MAX - current_size;
    memmove(current + place + n, current + place, current_size - place);
    current_size += n;
    return n;
}

static void insert_random(void)
{
    const size_t place = below(current_size + 1);
    const size_t n = open_gap(place, 1 + below(16));
    const uint8_t byte = (uint8_t)below(256);
    for (size_t i = 0; i < n; i++)
        current[place + i] = below(2) ? byte : (uint8_t)below(256);
}

static void insert_from_corpus(void)
{
    const struct input *other = &corpus[below(n_corpus)];
    const size_t start = below(other->size + 1);
    const size_t place = below(current_size + 1);
    const size_t n = open_gap(place, below(other->size - start + 1));
    if (n)
        memcpy(current + place, other->data + start, n);
}

static void remove_some(void)
{
    const size_t place = below(current_size);
    size_t n = 1 + below(below(8) ? 16 : current_size);
    if (n > current_size - place)
        n = current_size - place;
    memmove(current + place, current + place + n, current_size - place - n);
    current_size -= n;
}

/* Numbers at the borders, in any width, in either order of bytes. */
static void write_border(void)
{
    static const uint64_t borders[] = {0,          1,          0x7f,      0x80,
                                       0xff,       0x7fff,     0xffff,    0x7fffffff,
                                       0x80000000, 0xffffffff, INT64_MAX, (uint64_t)INT64_MAX + 1,
                                       UINT64_MAX};
    const size_t width = (size_t)1 << below(4);
    if (current_size < width)
        return;
    const size_t place = below(current_size - width + 1);
    const uint64_t value = borders[below(sizeof borders / sizeof borders[0])];
    const bool is_little = below(2);
    for (size_t i = 0; i < width; i++)
        current[place + i] = (uint8_t)(value >> 8 * (is_little ? i : width - 1 - i));
}

static void change_current(void)
{
    if (current_size == 0) {
        insert_random();
        return;
    }
    const size_t place = below(current_size);
    switch (below(7)) {
    case 0:
        current[place] ^= (uint8_t)(1U << below(8));
        break;
    case 1:
        current[place] = (uint8_t)below(256);
        break;
    case 2:
        current[place] = (uint8_t)(current[place] + below(33) - 16);
        break;
    case 3:
        insert_random();
        break;
    case 4:
        insert_from_corpus();
        break;
    case 5:
        remove_some();
        break;
    default:
        write_border();
        break;
    }
}

/* Fills current; false when the file cannot be read. A longer file is cut. */
static bool read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return false;
    current_size = fread(current, 1, sizeof current, file);
    const bool is_good = !ferror(file);
    fclose(file);
    return is_good;
}

/* Runs the files of a folder, by name; how many, or -1. A missing folder is an empty one. */
static int run_folder(const char *folder)
{
    struct dirent **entries = NULL;
    const int n = scandir(folder, &entries, NULL, alphasort);
    if (n < 0)
        return errno == ENOENT ? 0 : -1;
    int n_run = 0;
    for (int i = 0; i < n; i++) {
        char path[4096];
        struct stat status;
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        free(entries[i]);
        if (stat(path, &status) != 0 || !S_ISREG(status.st_mode))
            continue;
        if (!read_file(path)) {
            fprintf(stderr, "fuzz: cannot read %s\n", path);
            n_run = -1;
            break;
        }
        (void)run_current();
        keep_current();
        n_run++;
    }
    free(entries);
    return n_run;
}

/* Makes a changed copy of an input current, and runs it. */
static void run_changed(const struct input *start)
{
    memcpy(current, start->data, start->size);
    current_size = start->size;
    for (size_t n = 1 + below(MOST_CHANGES); n > 0; n--)
        change_current();
    if (run_current())
        keep_current();
}

static void mutate_each(long n_mutations)
{
    const size_t n_given = n_corpus;
    for (size_t i = 0; i < n_given; i++) {
        for (long n = 0; n < n_mutations; n++)
            run_changed(&corpus[i]);
    }
}

static void search(long seconds)
{
    uint64_t n_runs = 0;
    if (n_corpus == 0) {
        current_size = 0;
        keep_current();
    }
    for (const time_t end = time(NULL) + seconds; time(NULL) < end; n_runs++)
        run_changed(&corpus[below(n_corpus)]);
    size_t n_edges = 0;
    for (size_t i = 0; i < N_EDGES; i++)
        n_edges += known[i];
    printf("%llu runs, %zu inputs kept, %zu edges reached\n", (unsigned long long)n_runs, n_corpus,
           n_edges);
}

/* The number behind an option, or -1 when the argument is another one. */
static long option(const char *argument, const char *name)
{
    const size_t length = strlen(name);
    return strncmp(argument, name, length) == 0 ? strtol(argument + length, NULL, 10) : -1;
}

static void catch_crashes(const char *program)
{
    const char *slash = strrchr(program, '/');
    snprintf(crash_path, sizeof crash_path, "%s.crash", slash ? slash + 1 : program);
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(save_crash);
    signal(SIGABRT, on_signal);
    signal(SIGALRM, on_signal);
}

int main(int argc, char **argv)
{
    long n_mutations = 0;
    long seconds = 0;
    catch_crashes(argv[0]);
    for (int i = 1; i < argc; i++) {
        const long mutations = option(argv[i], "-mutations=");
        const long total_time = option(argv[i], "-max_total_time=");
        if (mutations >= 0)
            n_mutations = mutations;
        else if (total_time >= 0)
            seconds = total_time;
        else if (run_folder(argv[i]) < 0)
            return 1;
    }
    printf("%zu files\n", n_corpus);
    mutate_each(n_mutations);
    if (seconds > 0)
        search(seconds);
    for (size_t i = 0; i < n_corpus; i++)
        free(corpus[i].data);
    return 0;
}
