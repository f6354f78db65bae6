/* SPDX-License-Identifier: Apache-2.0
 *
 * How relations and refusals are called in answers. */
#include "store/contributors.h"

#include "codec/manifest.h"

const char *store_relation_name(enum store_relation relation)
{
    static const char *const names[STORE_N_RELATIONS] = {
        "parent", "fan_in", "split", "continues", "fork", "link", "manifest",
    };
    return names[relation];
}

const char *store_refusal_name(enum store_refusal refusal)
{
    if (refusal <= STORE_REFUSAL_TRAILING)
        return ftri_manifest_problem_name((enum ftri_manifest_problem)refusal);
    return refusal == STORE_REFUSAL_NO_PARENT  ? "no parent"
           : refusal == STORE_REFUSAL_NO_BYTES ? "no packed bytes"
                                               : "too dense";
}

_Static_assert((int)STORE_REFUSAL_TRAILING == (int)FTRI_MANIFEST_TRAILING,
               "the first refusals are the problems of a packed string");
