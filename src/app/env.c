/* SPDX-License-Identifier: Apache-2.0
 *
 * flowtrace env. */
#include "app/commands.h"
#include "base/bytes.h"
#include "base/file.h"
#include "export/environment.h"

#include <string.h>
#include <unistd.h>

static int env_run(const void *options, const char *const *operands, size_t n_operands)
{
    (void)options, (void)operands, (void)n_operands;
    struct ftri_bytes json;
    bool is_usable = false;
    ftri_bytes_init(&json, (size_t)64 << 20);
    int r = ftri_environment_write(&json, &is_usable);
    if (r == 0)
        r = ftri_bytes_append_char(&json, '\n');
    if (r == 0)
        r = ftri_file_write_all(STDOUT_FILENO, json.data, json.len);
    ftri_bytes_deinit(&json);
    if (r < 0)
        return fail(1, "env: %s", strerror(-r));
    return is_usable ? 0 : 1;
}

const struct command command_env = {
    .name = "env",
    .operands = "",
    .sentence = "Print what OTEL_* and FLOWTRACE_* variables make of a traced program, as JSON.",
    .text =
        "Values of headers and passwords in URLs are masked. \"warnings\" says what is ignored\n"
        "and why; \"error\" (exit status 1) what a traced program would refuse to start with.",
    .run = env_run,
};
