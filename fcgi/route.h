/*
 * From a path to what it means. The last segments decide, so the server works under any prefix and with any address that
 * people type into their clients (protocol.md §1.3, design.md §3 "route").
 */
#ifndef FCGI_ROUTE_H
#define FCGI_ROUTE_H

#include "base/buf.h"
#include "base/err.h"
#include "core/call.h"

enum route_kind { ROUTE_METHOD, ROUTE_HEALTH, ROUTE_PAGE };

struct route {
	enum route_kind kind;
	const struct method *method; /* ROUTE_METHOD */
	const char *allow;           /* what may be asked of a path that exists; set with ERR_BAD_METHOD too */
};

/*
 * 0, or -1: ERR_NOT_FOUND; ERR_BAD_REQUEST for an unknown method below `sync` or `msync`, as the official server answers;
 * ERR_BAD_METHOD.
 */
int route_find(struct slice verb, struct slice path, struct route *r, struct err *e);

#endif
