/* SPDX-License-Identifier: Apache-2.0
 *
 * What the libraries of `flowtrace serve` cost alone: says that it is ready and waits for its
 * input's end. serve.py measures it beside the server. */
#include <stdio.h>

int main(void)
{
    fputs("ready\n", stderr);
    (void)getchar();
    return 0;
}
