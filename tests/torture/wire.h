/* SPDX-License-Identifier: Apache-2.0
 *
 * The other end of a server's socket: blocking, and impatient only after a minute. */
#pragma once

#include "base/bytes.h"

/* A connection to the port on loopback; -1: refused. */
int wire_connect(uint16_t port);
/* The port behind the last colon of an address. */
uint16_t wire_port(const char *address);
/* One HTTP/1.1 request on a connection of its own: line "GET /path", further fields each with CRLF.
 * Reads to the end of the connection into ret_answer, cut to its size and ended by NUL. Returns the
 * status; 0: there was no whole answer. Silence ends the run as failed. */
int wire_http(uint16_t port, const char *line, const char *fields, struct ftri_view body,
              char *ret_answer, size_t size);
