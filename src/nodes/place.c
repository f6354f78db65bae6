/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes/place.h"

#include "base/error.h"
#include "engine/node.h"
#include "nodes/environment.h"

#include <errno.h>
#include <stdio.h>

int place_resolve(struct node *node, const char *path, char ret_path[PATH_MAX],
                  struct ftri_error *error)
{
    const struct nodes_environment *environment = node_environment(node);
    const char *base = environment ? environment->data_directory : NULL;
    const char *directory = base ? base : ".";
    const int len = path[0] == '/'    ? snprintf(ret_path, PATH_MAX, "%s", path)
                    : path[0] == '\0' ? snprintf(ret_path, PATH_MAX, "%s", directory)
                                      : snprintf(ret_path, PATH_MAX, "%s/%s", directory, path);
    if (len < 0 || len >= PATH_MAX)
        return ftri_error_errno(error, -ENAMETOOLONG, "%.200s", path);
    return 0;
}
