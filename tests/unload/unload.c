/* SPDX-License-Identifier: Apache-2.0
 *
 * unload-plugin PLUGIN: loads and unloads it a hundred times. Each time it records on threads that
 * end before, on one that ends after it is gone, and on one that is there all the time. Then no
 * thread and no file is left, memory does not grow, and fork and thread exit still work. */
#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 100, WARM = 20, THREADS = 4, SPANS = 2, GROWTH_KIB = 2048, GROWTH_MAPS = 8 };

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED 1 /* freed memory is kept for a while; leaks are looked for at the end */
#else
#define IS_SANITIZED 0
#endif

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why ? why : "");
    exit(1);
}

static void check(int is_right, const char *what)
{
    if (!is_right)
        fail(what, "not as expected");
}

struct plugin {
    void *handle;
    int (*begin)(void);
    void *(*record)(void *argument);
    int (*end)(uint64_t n_expected);
};

static void *find(void *handle, const char *name)
{
    void *found = dlsym(handle, name);
    if (!found)
        fail(name, dlerror());
    return found;
}

static struct plugin load(const char *path)
{
    struct plugin plugin = {.handle = dlopen(path, RTLD_NOW | RTLD_LOCAL)};
    if (!plugin.handle)
        fail(path, dlerror());
    *(void **)&plugin.begin = find(plugin.handle, "plugin_begin");
    *(void **)&plugin.record = find(plugin.handle, "plugin_record");
    *(void **)&plugin.end = find(plugin.handle, "plugin_end");
    return plugin;
}

/* A thread that calls a function whenever it is told to. */
struct servant {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    void *(*job)(void *argument);
    int is_ending;
};

static void *serve(void *argument)
{
    struct servant *self = argument;
    pthread_mutex_lock(&self->lock);
    while (!self->is_ending) {
        if (self->job)
            self->job(NULL);
        self->job = NULL;
        pthread_cond_broadcast(&self->changed);
        while (!self->job && !self->is_ending)
            pthread_cond_wait(&self->changed, &self->lock);
    }
    pthread_mutex_unlock(&self->lock);
    return NULL;
}

static void hire(struct servant *self)
{
    *self = (struct servant){.is_ending = 0};
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->changed, NULL);
    check(pthread_create(&self->thread, NULL, serve, self) == 0, "pthread_create");
}

static void order(struct servant *self, void *(*job)(void *argument))
{
    pthread_mutex_lock(&self->lock);
    self->job = job;
    pthread_cond_broadcast(&self->changed);
    while (self->job)
        pthread_cond_wait(&self->changed, &self->lock);
    pthread_mutex_unlock(&self->lock);
}

static void dismiss(struct servant *self)
{
    pthread_mutex_lock(&self->lock);
    self->is_ending = 1;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->lock);
    pthread_join(self->thread, NULL);
    pthread_mutex_destroy(&self->lock);
    pthread_cond_destroy(&self->changed);
}

static int count_entries(const char *path)
{
    int n = 0;
    DIR *folder = opendir(path);
    check(folder != NULL, path);
    while (readdir(folder))
        n++;
    closedir(folder);
    return n;
}

static long count_lines(const char *path)
{
    FILE *file = fopen(path, "r");
    long n = 0;
    check(file != NULL, path);
    for (int c; (c = getc(file)) != EOF;)
        n += c == '\n';
    fclose(file);
    return n;
}

static long resident_kib(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    long pages = 0;
    check(file && fscanf(file, "%*d %ld", &pages) == 1, "/proc/self/statm");
    fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* Threads that have been waited for may still be about to go. */
static void wait_for_tasks(int n)
{
    for (int i = 0; i < 60000 && count_entries("/proc/self/task") > n; i++)
        usleep(1000);
    check(count_entries("/proc/self/task") == n, "threads that are left");
}

static void run_round(const char *path, struct servant *constant)
{
    struct servant late;
    pthread_t threads[THREADS];
    struct plugin plugin = load(path);
    check(plugin.begin() == 0, "plugin_begin");
    hire(&late);
    for (int i = 0; i < THREADS; i++)
        check(pthread_create(&threads[i], NULL, plugin.record, NULL) == 0, "pthread_create");
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    order(&late, plugin.record);
    order(constant, plugin.record);
    check(plugin.end((THREADS + 2) * SPANS) == 0, "plugin_end");
    check(dlclose(plugin.handle) == 0, "dlclose");
    dismiss(&late); /* what it has of the library goes only now */
}

static void check_fork(void)
{
    if (IS_SANITIZED)
        return; /* tests/skips.txt */
    const pid_t child = fork();
    if (child == 0)
        _exit(0);
    int status = -1;
    check(waitpid(child, &status, 0) == child && status == 0, "fork");
}

int main(int argc, char **argv)
{
    struct servant constant;
    long kib = 0, maps = 0;
    check(argc == 2, "one plugin");
    hire(&constant);
    const int n_tasks = count_entries("/proc/self/task");
    int n_files = 0;
    for (int i = 0; i < ROUNDS; i++) {
        run_round(argv[1], &constant);
        wait_for_tasks(n_tasks);
        check_fork();
        if (i != WARM)
            continue;
        n_files = count_entries("/proc/self/fd");
        kib = resident_kib();
        maps = count_lines("/proc/self/maps");
    }
    check(count_entries("/proc/self/fd") == n_files, "files that are left");
    const long kib_after = resident_kib();
    const long maps_after = count_lines("/proc/self/maps");
    printf("%ld KiB after %d rounds, %ld after %d; %ld and %ld maps\n", kib, WARM, kib_after,
           ROUNDS, maps, maps_after);
    check(IS_SANITIZED || kib_after <= kib + GROWTH_KIB, "memory");
    check(IS_SANITIZED || maps_after <= maps + GROWTH_MAPS, "maps");
    dismiss(&constant);
    return 0;
}
