/*
 * The standard output of a FastCGI request, in records as large as there can be. libfcgi's own stream makes one, and one
 * system call, of every 8 KiB: for large replies that cost the web server half of its time. It would also wake the web server
 * once more for the end of the request. Nothing may be written to that stream as well.
 */
#ifndef FCGI_RECORDS_H
#define FCGI_RECORDS_H

#include <fcgiapp.h>
#include <stdbool.h>

#include "base/stream.h"

enum { RECORD_HEAD_BYTES = 8, RECORD_GATHER_BYTES = 16 << 10, RECORD_END_BYTES = 3 * RECORD_HEAD_BYTES };

struct record_sink {
	struct sink sink;
	int fd, request_id;
	bool failed; /* the web server takes no more; nothing can be written any more */
	size_t gathered;
	/* Small pieces, behind the place for a head, and room for the records that end the request. */
	char gather[RECORD_HEAD_BYTES + RECORD_GATHER_BYTES + RECORD_END_BYTES];
};

void record_sink_init(struct record_sink *s, const FCGX_Request *request);
/* What was gathered goes out. 0 or -1. */
int record_sink_flush(struct record_sink *s, struct err *e);
/* What was gathered goes out, and the end of the request with it: for libfcgi it is to be freed, not finished. 0 or -1. */
int record_sink_end(struct record_sink *s, struct err *e);

#endif
