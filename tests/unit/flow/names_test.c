/* SPDX-License-Identifier: Apache-2.0
 *
 * The names: the document's keys, every name explained in the glossary, none twice. */
#include "flow/names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static char glossary[64 * 1024];

static int read_glossary(void **state)
{
    (void)state;
    FILE *const file = fopen(GLOSSARY, "r");
    if (!file)
        return -1;
    const size_t len = fread(glossary, 1, sizeof glossary - 1, file);
    fclose(file);
    glossary[len] = '\0';
    return len > 0 && len < sizeof glossary - 1 ? 0 : -1;
}

static void assert_explained(ftr_str name)
{
    char code[80];
    snprintf(code, sizeof code, "`%.*s`", (int)name.len, name.data);
    if (!strstr(glossary, code))
        fail_msg("docs/glossary.md does not explain %s", code);
}

static void test_every_name_is_explained(void **state)
{
    (void)state;
    const ftr_str *const names = ftri_names(FTRI_CONVENTION_FLOWTRACE);
    for (size_t i = 0; i < FTRI_N_NAMES; i++) {
        assert_true(names[i].len > 0);
        assert_explained(names[i]);
    }
}

static void test_every_enumerator_is_explained(void **state)
{
    (void)state;
    for (int reason = FTR_DROP_FILTERED; reason <= FTR_DROP_SHUTDOWN; reason++)
        assert_explained(ftr_str_from(ftr_drop_reason_name((ftr_drop_reason)reason)));
    for (int outcome = FTR_OUTCOME_SUCCESS; outcome <= FTR_OUTCOME_REFUSED; outcome++)
        assert_explained(ftr_str_from(ftr_outcome_name((ftr_outcome)outcome)));
    for (int signal = FTR_SIGNAL_NONE; signal <= FTR_SIGNAL_RECORDS; signal++)
        assert_explained(ftr_str_from(ftr_signal_name((ftr_signal)signal)));
}

static void test_attributes_have_different_keys(void **state)
{
    (void)state;
    const ftr_str *const names = ftri_names(FTRI_CONVENTION_FLOWTRACE);
    for (size_t i = 0; i <= FTRI_NAME_MANIFEST_DROPPED; i++)
        for (size_t j = 0; j < i; j++)
            assert_false(names[i].len == names[j].len &&
                         memcmp(names[i].data, names[j].data, names[i].len) == 0);
}

/* The list in the otel-arrow tracing proposal. */
static void test_the_documents_keys_are_the_default(void **state)
{
    (void)state;
    static const struct {
        enum ftri_name name;
        const char *key;
    } keys[] = {
        {FTRI_NAME_NODE_ID, "node.id"},         {FTRI_NAME_NODE_TYPE, "node.type"},
        {FTRI_NAME_SIGNAL_TYPE, "signal.type"}, {FTRI_NAME_BATCH_SIZE, "pdata.batch.size"},
        {FTRI_NAME_OUT_PORT, "out.port"},       {FTRI_NAME_STATEFUL, "stateful"},
        {FTRI_NAME_LATENCY_MS, "latency.ms"},   {FTRI_NAME_ERROR, "error"},
    };
    for (size_t i = 0; i < FTRI_COUNT(keys); i++)
        assert_string_equal(ftri_names(FTRI_CONVENTION_FLOWTRACE)[keys[i].name].data, keys[i].key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_name_is_explained),
        cmocka_unit_test(test_every_enumerator_is_explained),
        cmocka_unit_test(test_attributes_have_different_keys),
        cmocka_unit_test(test_the_documents_keys_are_the_default),
    };
    return cmocka_run_group_tests(tests, read_glossary, NULL);
}
