/* SPDX-License-Identifier: Apache-2.0
 *
 * Several loops may listen on one TCP address (SO_REUSEPORT): the kernel spreads the connections
 * over their sockets. The first of them still fails where somebody else listens. */
#pragma once

enum listener_sharing { LISTENER_ALONE, LISTENER_FIRST, LISTENER_FURTHER };
