/* SPDX-License-Identifier: Apache-2.0
 *
 * The store of type sqlite: see stored.h. */
#include "stored.h"
#include "torture.h"

void torture_run(void)
{
    stored_run("sqlite");
}
