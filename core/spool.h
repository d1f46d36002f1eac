/*
 * A request's body, received whole so that it can be read from any place: in memory while it is small, in a temporary file
 * of the user's home from there on. The file has no name: whatever happens, nothing of it is left behind.
 */
#ifndef CORE_SPOOL_H
#define CORE_SPOOL_H

#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/stream.h"

struct home;

enum { SPOOL_MEMORY_BYTES = 1 << 20 };

struct spool {
	char *memory;
	uint64_t bytes;
	int fd; /* -1: it is in memory */
};
#define SPOOL_INIT { .fd = -1 }

/* All of `body`, at most `max` bytes (ERR_TOO_BIG). 0 or -1; either way spool_release is due. */
int spool_receive(struct spool *s, struct home *h, struct source *body, uint64_t max, struct err *e);
/* Exactly n bytes from `at`, which must be there. */
int spool_read(const struct spool *s, uint64_t at, void *p, size_t n, struct err *e);
void spool_release(struct spool *s);

#endif
