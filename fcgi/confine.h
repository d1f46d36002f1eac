/* What a worker that somebody took over could still do: with the data of its user, and with nothing else (hardening.md §2). */
#ifndef FCGI_CONFINE_H
#define FCGI_CONFINE_H

#include "core/call.h"

/*
 * Once everything is open: from here on the worker reaches its data folder, its log, and the program that its import child
 * is; it makes no connection but to syslog, and has limits for memory and descriptors. What the kernel cannot do is logged,
 * and done without.
 */
void confine(const struct server *s);

#endif
