/* SPDX-License-Identifier: Apache-2.0
 *
 * What a manifest travels under, whatever conventions a process has: stores read lineage by these.
 */
#pragma once

#define FTRI_MANIFEST_SPAN_NAME "flow.manifest"
#define FTRI_MANIFEST_KEY "flow.manifest"                 /* of a manifest span: one string */
#define FTRI_MANIFEST_COUNT_KEY "flow.manifest.count"     /* of it: how many there are */
#define FTRI_MANIFEST_DROPPED_KEY "flow.manifest.dropped" /* of the fan-in span */
#define FTRI_MANIFEST_RELATION_KEY "flow.relation"        /* of its links */
