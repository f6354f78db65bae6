/* SPDX-License-Identifier: Apache-2.0
 *
 * Files in the scenario's own directory: what graphs read, and what they have written. */
#pragma once

#include "torture.h"

#include <flowtrace/types.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FILES_LINES_MOST = 1024 };

static inline void files_write(const char *path, const void *content, size_t len)
{
    FILE *file = fopen(path, "w");
    EXPECT(file && fwrite(content, 1, len, file) == len && fclose(file) == 0);
}

/* in/0/0.log, in/0/1.txt, ...: n_folders folders with n files each, alternately of both kinds. */
static inline void files_make(size_t n_folders, size_t n)
{
    char path[64], text[64];
    EXPECT(mkdir("in", 0700) == 0);
    for (size_t i = 0; i < n_folders; i++) {
        snprintf(path, sizeof path, "in/%zu", i);
        EXPECT(mkdir(path, 0700) == 0);
        for (size_t j = 0; j < n; j++) {
            snprintf(path, sizeof path, "in/%zu/%zu.%s", i, j, j % 2 ? "txt" : "log");
            const int len = snprintf(text, sizeof text, "file %zu\nof folder %zu\n", j, i);
            files_write(path, text, (size_t)len);
        }
    }
}

static inline int files_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The lines of a file: each is whole JSON of a parsed record (two lines were in it). At most
 * n_copies are alike. Returns how many there are; 0: there is no such file. */
static inline size_t files_check_lines(const char *path, size_t n_copies)
{
    static char text[FILES_LINES_MOST * 512];
    char *lines[FILES_LINES_MOST];
    size_t n = 0;
    FILE *file = fopen(path, "r");
    if (!file)
        return 0;
    for (char *at = text; fgets(at, 512, file); at += strlen(at) + 1) {
        EXPECT(n < FILES_LINES_MOST);
        EXPECT_THAT(strncmp(at, "{\"key\":\"in/", 11) == 0, "%s: %s", path, at);
        EXPECT_THAT(strstr(at, ",\"lines\":2"), "%s: %s", path, at);
        lines[n++] = at;
    }
    fclose(file);
    qsort(lines, n, sizeof *lines, files_compare);
    for (size_t i = n_copies; i < n; i++)
        EXPECT_THAT(strcmp(lines[i - n_copies], lines[i]) != 0, "%s: too often: %s", path,
                    lines[i]);
    return n;
}
