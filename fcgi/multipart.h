/*
 * multipart/form-data, taken apart while it arrives (RFC 7578, RFC 2046 §5.1). Nothing of a part is kept here, so a part may
 * be of any size; what a part means is the business of form.h.
 */
#ifndef FCGI_MULTIPART_H
#define FCGI_MULTIPART_H

#include "base/stream.h"

enum {
	MULTIPART_BOUNDARY_MAX = 200, /* RFC 2046 says 70; the longest of a known client has 67 */
	MULTIPART_HEADERS_MAX = 8192, /* of one part */
};

/*
 * The boundary of a content type, quoted or not, shorter than the limit. 0, or -1 with ERR_BAD_REQUEST when the type is no
 * multipart/form-data with a boundary.
 */
int multipart_boundary(struct slice content_type, char boundary[MULTIPART_BOUNDARY_MAX + 1], struct err *e);

/* Each returns 0 to go on, or -1 with *e set, which ends the reading. */
struct multipart_reader {
	/*
	 * A part begins. `name` is empty when it has none, and cut off when it is longer than any that means something. The
	 * slice is valid during the call.
	 */
	int (*part)(void *arg, struct slice name, struct err *e);
	/* Bytes of that part, in pieces. */
	int (*bytes)(void *arg, struct slice piece, struct err *e);
	void *arg;
};

/*
 * Read `body` to its end. 0 only if the closing boundary came and the body ended as it should. What stands before the first
 * boundary and after the closing one does not matter. -1: ERR_BAD_REQUEST (cut off, headers that are none or too long),
 * ERR_TOO_BIG (more than max_bytes in all), or what the body or the reader says.
 */
int multipart_read(struct source *body, const char *boundary, uint64_t max_bytes, const struct multipart_reader *reader,
		   struct err *e);

#endif
