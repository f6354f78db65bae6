/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests of programs that record: a test sees its own spans, also while other tests run in the
 * same process, and compares them with a tree in a short text form.
 *
 *     ftr_test *test = ftr_test_begin(NULL);
 *     parse_file("today.csv");                            (records spans)
 *     char why[2048];
 *     if (!ftr_test_matches(test, "parse{ read decode }", NULL, why, sizeof why))
 *         puts(why), n_failed++;
 *     ftr_test_end(test);
 *
 * A test is a trace: ftr_test_begin makes a context with a trace id of its own current on its
 * thread; what is recorded below it, on whatever thread, belongs to the test. Other threads attach
 * ftr_test_context. User traces (<flowtrace/user.h>) that are started there belong to it, too, the
 * first 64 of them, in a sink of their own. Functions: any thread; begin and end on the same one.
 */
#ifndef FLOWTRACE_TESTING_H
#define FLOWTRACE_TESTING_H

#include <flowtrace/context.h>
#include <flowtrace/exporter.h>
#include <flowtrace/tracing.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ftr_test ftr_test;

/* The first test calls ftr_init unless the program did, the last one to end then ftr_shutdown. A
 * program that calls ftr_init itself gives it a test exporter. NULL, and why in *error (may be
 * NULL): no test exporter is there, or memory is short. */
FTR_API ftr_test *ftr_test_begin(ftr_error *error);
/* Forgets the test's spans. NULL is fine. */
FTR_API void ftr_test_end(ftr_test *test);
/* Hands each span to the test whose trace it is of; others it drops. For ftr_config.exporters. */
FTR_API ftr_exporter *ftr_test_exporter_new(void);
/* The same for ftr_user_config.exporter; without it, a program that calls ftr_init itself has no
 * user spans in its tests. */
FTR_API ftr_exporter *ftr_test_user_exporter_new(void);

/* What belongs to this test, for other threads and tasks. Borrowed until the end. */
FTR_API const ftr_context *ftr_test_context(const ftr_test *test);
/* One more trace that belongs to the test: one that the code under test began anew. At most 64;
 * false: no more, or memory is short. Spans that were exported before are not found. */
FTR_API bool ftr_test_add_trace(ftr_test *test, const ftr_trace_id *trace_id);
/* The test's spans so far, after a flush, in order of arrival; borrowed until the end. */
FTR_API ftr_memory_spans *ftr_test_spans(ftr_test *test);

/* The test's user spans so far; as above. */
FTR_API ftr_memory_spans *ftr_test_user_spans(ftr_test *test);

/* What of a span is compared beside its name and place. */
typedef struct ftr_test_shown {
    size_t size;     /* sizeof(ftr_test_shown) */
    bool kind;       /* kind="client" */
    bool status;     /* status="error", and description="why" if there is one */
    bool attributes; /* rows=7 file="a b" values=[1,2]: JSON */
    bool events;     /* !name or !"two words", in their order */
    bool links;      /* links=2 */
    bool start_time; /* start=1700000000000000000 */
    bool end_time;   /* end=... */
    bool any_order;  /* siblings are compared in any order; else in that of their starts */
} ftr_test_shown;

/* Compares the finished spans of the test with a tree:
 *
 *     tree = { span }      span = name [ "(" { detail } ")" ] [ "{" tree "}" ]
 *
 * Names of letters, digits and signs stand as they are, others as a JSON string. Details are
 * separated by spaces: key=value or !event; those of `shown` (NULL: none) must be all that the span
 * has. A span whose parent is not the test's stands at the top. False: they differ; then
 * ret_difference (room bytes, always ended by NUL, cut if it must be) says how, in lines of "-"
 * expected and "+" recorded, and which spans of the test are still open. */
FTR_API bool ftr_test_matches(ftr_test *test, const char *expected, const ftr_test_shown *shown,
                              char *ret_difference, size_t room);
/* The recorded tree in that form, on one line; returns its length like snprintf, SIZE_MAX when
 * memory is short or the tree is deeper than 200. */
FTR_API size_t ftr_test_tree(ftr_test *test, const ftr_test_shown *shown, char *ret_text,
                             size_t room);

/* The same of the test's user spans. */
FTR_API bool ftr_test_user_matches(ftr_test *test, const char *expected,
                                   const ftr_test_shown *shown, char *ret_difference, size_t room);
FTR_API size_t ftr_test_user_tree(ftr_test *test, const ftr_test_shown *shown, char *ret_text,
                                  size_t room);

#ifdef __cplusplus
}
#endif

#endif
