/* SPDX-License-Identifier: Apache-2.0
 *
 * A folder of a test's own, gone after it with all that is in it. */
#pragma once

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char folder[] = "/tmp/ftr-nodes-XXXXXX";

static int folder_set_up(void **state)
{
    (void)state;
    memcpy(folder + sizeof folder - 7, "XXXXXX", 6);
    return mkdtemp(folder) ? 0 : -1;
}

static int folder_remove_entry(const char *name, const struct stat *status, int kind,
                               struct FTW *place)
{
    (void)status, (void)kind, (void)place;
    return remove(name);
}

static int folder_tear_down(void **state)
{
    (void)state;
    return nftw(folder, folder_remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}
