/* SPDX-License-Identifier: Apache-2.0
 *
 * Who a span is for. A thread that records both kinds has slots, pages, a journal and counters for
 * each; a handle's thread tells which kind it is of. */
#pragma once

enum ftri_pipeline {
    FTRI_SYSTEM = 0, /* whoever runs the program */
    FTRI_USER = 1,   /* the people whose traffic runs through it: <flowtrace/user.h> */
    FTRI_N_PIPELINES = 2
};
