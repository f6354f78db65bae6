/* SPDX-License-Identifier: Apache-2.0 */
#include "app/data_directory.h"

#include "base/error.h"
#include "base/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const char *environment(const char *name)
{
    const char *value = getenv(name);
    return value && value[0] ? value : NULL;
}

static int choose(const char *chosen, char *ret_path)
{
    const char *flowtrace = environment("FLOWTRACE_DATA");
    const char *state = environment("XDG_STATE_HOME");
    const char *home = environment("HOME");
    if (chosen)
        return snprintf(ret_path, PATH_MAX, "%s", chosen);
    if (flowtrace)
        return snprintf(ret_path, PATH_MAX, "%s", flowtrace);
    if (state)
        return snprintf(ret_path, PATH_MAX, "%s/flowtrace", state);
    return home ? snprintf(ret_path, PATH_MAX, "%s/.local/state/flowtrace", home) : -1;
}

int data_directory(const char *chosen, const char *below, char ret_path[PATH_MAX],
                   struct ftri_error *error)
{
    int len = choose(chosen, ret_path);
    if (len < 0)
        return ftri_error_set(error, -ENOENT,
                              "no place for the data: HOME is not set; use --data DIR");
    if (below && len < PATH_MAX)
        len += snprintf(ret_path + len, (size_t)(PATH_MAX - len), "/%s", below);
    if (len >= PATH_MAX)
        return ftri_error_errno(error, -ENAMETOOLONG, "the data directory");
    const int r = ftri_file_make_directories(ret_path);
    return r < 0 ? ftri_error_errno(error, r, "making %.300s", ret_path) : 0;
}
