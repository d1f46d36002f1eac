/* A source from memory that gives at most `step` bytes at a time (0: as many as are asked for). */
#ifndef TESTS_FUZZ_PIECES_H
#define TESTS_FUZZ_PIECES_H

#include "base/stream.h"

struct pieces {
	struct source source;
	struct slice rest;
	size_t step;
};

static inline ssize_t pieces_read(struct source *source, void *p, size_t n, struct err *e)
{
	struct pieces *s = (struct pieces *)source;

	(void)e;
	if (s->step && n > s->step)
		n = s->step;
	if (n > s->rest.len)
		n = s->rest.len;
	if (n)
		memcpy(p, s->rest.p, n);
	s->rest = (struct slice){ s->rest.p + n, s->rest.len - n };
	return (ssize_t)n;
}

static inline void pieces_init(struct pieces *s, struct slice bytes, size_t step)
{
	*s = (struct pieces){ { pieces_read }, bytes, step };
}

#endif
