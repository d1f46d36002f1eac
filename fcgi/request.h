/*
 * The head and the body of one FastCGI request. The web server is trusted to frame them; what is inside is a stranger's.
 */
#ifndef FCGI_REQUEST_H
#define FCGI_REQUEST_H

#include <fcgiapp.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/stream.h"

enum { REQUEST_PATH_MAX = 2048, REQUEST_WORD_MAX = 1024, REQUEST_HEADER_MAX = 65536 };

/* All slices are borrowed from the parameters, except `path`; an absent one is empty. */
struct request {
	struct slice verb;
	struct slice path;         /* SCRIPT_NAME + PATH_INFO, else REQUEST_URI before the `?`; begins with `/` or is empty */
	struct slice query;
	struct slice anki_sync;    /* the header of that name */
	bool has_anki_sync;
	struct slice content_type;
	struct slice address;      /* of the client */
	struct slice agent;
	struct slice host;         /* as the client wrote it: never trust it, never print it as it is */
	bool https;
	bool has_length;           /* CONTENT_LENGTH is there: a hint for nothing but completeness (protocol.md §1.4) */
	uint64_t length;
	char path_text[REQUEST_PATH_MAX + 1];
};

/* `params` as FCGX_Request.envp. 0, or -1 with ERR_BAD_REQUEST or ERR_TOO_BIG; then *rq holds what was read so far. */
int request_parse(struct request *rq, char **params, struct err *e);

/*
 * The body as it comes from the web server. Its end is believed only if the end record came, no error was seen and
 * CONTENT_LENGTH, when present, fits; else ERR_BAD_REQUEST. Whoever decodes it checks the payload's own end as well.
 * A read gives what is there, so that a slow line is noticed: below 512 bytes a second after a minute it is an error.
 */
struct body_source {
	struct source source;
	FCGX_Stream *in;
	bool has_length;
	uint64_t length, got;
	int64_t start_ms;
	bool ended; /* in good order */
};
void body_source_init(struct body_source *b, FCGX_Stream *in, const struct request *rq);

#endif
