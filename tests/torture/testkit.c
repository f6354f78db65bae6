/* SPDX-License-Identifier: Apache-2.0
 *
 * The kit for tests of programs: a test that cannot be run says so; one that can never passes
 * wrongly. */
#include "torture.h"

#include <flowtrace/flowtrace.h>
#include <flowtrace/testing.h>

#include <string.h>

enum { TEXT_BYTES = 2048 };

static void record(void)
{
    const ftr_span parse = ftr_span_start(FTR_STR("parse"), FTR_KIND_INTERNAL, NULL);
    ftr_context here = ftr_span_context_of(parse);
    const ftr_span read = ftr_span_start(FTR_STR("read"), FTR_KIND_INTERNAL, &here);
    ftr_span_set_i64(read, FTR_STR("rows"), 7);
    ftr_span_end(read);
    ftr_context_release(&here);
    ftr_span_end(parse);
}

struct outcome {
    bool has_test, is_right, is_wrong;
    size_t len;
    ftr_error error;
    char why[TEXT_BYTES], tree[TEXT_BYTES];
};

static void run_test(struct outcome *self)
{
    const ftr_test_shown shown = {.size = sizeof shown, .attributes = true};
    ftr_test *test = ftr_test_begin(&self->error);
    self->has_test = test != NULL;
    if (!test)
        return;
    record();
    self->is_right =
        ftr_test_matches(test, "parse{ read(rows=7) }", &shown, self->why, sizeof self->why);
    self->is_wrong = ftr_test_matches(test, "parse{ read(rows=8) }", &shown, NULL, 0);
    self->len = ftr_test_tree(test, &shown, self->tree, sizeof self->tree);
    ftr_test_end(test);
}

static void check(const struct outcome *self, bool may_have_failed)
{
    EXPECT(!self->is_wrong);
    EXPECT_THAT(self->is_right || may_have_failed, "%s%s", self->error.text, self->why);
    EXPECT(self->has_test || self->error.text[0]);
    EXPECT(!self->has_test || self->is_right || self->why[0]);
    EXPECT(may_have_failed || strcmp(self->tree, "parse{ read(rows=7) }") == 0);
}

void torture_run(void)
{
    static struct outcome first, second;
    torture_begin();
    run_test(&first);
    torture_end();
    check(&first, torture_has_struck());
    run_test(&second);
    check(&second, false);
}
