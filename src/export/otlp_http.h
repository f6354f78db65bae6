/* SPDX-License-Identifier: Apache-2.0
 *
 * How an answer of OTLP/HTTP is to be taken (OTLP specification, "OTLP/HTTP Response"). */
#pragma once

struct ftri_http_answer;
struct ftri_otlp_verdict;

void ftri_otlp_http_judge(const struct ftri_http_answer *answer,
                          struct ftri_otlp_verdict *ret_verdict);
