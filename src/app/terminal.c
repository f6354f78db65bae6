/* SPDX-License-Identifier: Apache-2.0 */
#include "app/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

size_t terminal_columns(void)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 60)
        return size.ws_col;
    return 80;
}
