/* SPDX-License-Identifier: Apache-2.0
 *
 * A test of a program that records: what parse() did, told by its spans. */
#include <flowtrace/flowtrace.h>
#include <flowtrace/testing.h>
#include <stdio.h>

/* ---- the program under test ---- */

static void step(ftr_str name, int64_t rows)
{
    const ftr_span span = ftr_span_start(name, FTR_KIND_INTERNAL, NULL);
    ftr_span_set_i64(span, FTR_STR("rows"), rows);
    ftr_span_end(span);
}

static void parse(void)
{
    const ftr_span span = ftr_span_start(FTR_STR("parse"), FTR_KIND_INTERNAL, NULL);
    ftr_context context = ftr_span_context_of(span);
    const ftr_attachment attachment = ftr_attach(&context);
    step(FTR_STR("read"), 3);
    step(FTR_STR("decode"), 2);
    ftr_detach(attachment);
    ftr_context_release(&context);
    ftr_span_end(span);
}

/* ---- its tests ---- */

static int check(ftr_test *test, const char *expected, const ftr_test_shown *shown)
{
    char why[2048];
    if (ftr_test_matches(test, expected, shown, why, sizeof why))
        return 0;
    printf("not as expected:\n%s", why);
    return 1;
}

int main(void)
{
    ftr_error error;
    ftr_test *test = ftr_test_begin(&error);
    if (!test) {
        printf("%s\n", error.text);
        return 1;
    }
    const ftr_test_shown with_attributes = {.size = sizeof with_attributes, .attributes = true};
    parse();
    int n_failed = check(test, "parse{ read decode }", NULL);
    n_failed += check(test, "parse{ read(rows=3) decode(rows=2) }", &with_attributes);
    printf("%s\n", n_failed == 0 ? "all as expected" : "there are differences");
    ftr_test_end(test);
    return n_failed;
}
