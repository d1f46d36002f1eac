/* One request, from its parsed head to the end of its reply. Runs from memory in a test. */
#ifndef FCGI_SERVE_H
#define FCGI_SERVE_H

#include "core/call.h"
#include "fcgi/request.h"

struct served {
	int status;   /* that was sent */
	bool broken;  /* the reply stopped half-way: the connection must not be ended as if it were complete */
	bool cut_off; /* the storage is out of reach: this worker should leave (design.md §10) */
};

/*
 * `parsed` is 0, or what request_parse said: then *e holds its complaint, and that is what the client gets. Failures are
 * logged here, once.
 */
void serve(struct server *s, const struct request *rq, int parsed, const struct err *e, struct source *body,
	   struct sink *out, struct served *result);

#endif
