/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

/* Of standard output; 80 where that is no terminal, or one of less than 60. */
size_t terminal_columns(void);
