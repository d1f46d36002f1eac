/* The accept loop: one request after the other, until a signal or a mark ends the worker. */
#ifndef FCGI_WORKER_H
#define FCGI_WORKER_H

#include "core/call.h"

/*
 * Serve what comes in on descriptor 0, a listening socket. SIGTERM, SIGINT and SIGUSR1 end it: at once when idle, else after
 * the request at hand. It also ends by itself above a memory mark, after some 100,000 requests, and when the storage is out
 * of reach, but not within 30 s of its start, as supervisors give up on children that die too quickly. SIGHUP opens the log
 * anew. 0 when it ended as it should, -1 with *e when the socket is of no use, or ERR_BAD_REQUEST when a setting is.
 */
int worker_run(struct server *s, struct err *e);

#endif
