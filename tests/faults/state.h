/* What a data folder holds, as text, and whether it is as it must be (hardening.md §3.1). */
#ifndef TESTS_FAULTS_STATE_H
#define TESTS_FAULTS_STATE_H

#include "base/buf.h"

struct state {
	struct buf exact;   /* everything that clients or administrators can see */
	struct buf content; /* the same without usns, times of changes, generations and keys: equal after doing things twice */
	int64_t generation[2], usn[2], mod[2]; /* of the users of shim->uid; -1 without one */
	int strays;         /* temporary files */
	int gone;           /* folders of deleted users */
};
#define STATE_INIT { BUF_INIT(BUF_UNBOUNDED), BUF_INIT(BUF_UNBOUNDED), { -1, -1 }, { -1, -1 }, { -1, -1 }, 0, 0 }

/*
 * Read all of `base`, as another program would. -1 with a sentence in `why` when something is wrong: a damaged database, a
 * generation without its file, a media file that is missing or has another hash.
 */
int state_read(struct state *s, const char *base, char why[512]);
void state_release(struct state *s);
/* The first line that differs, for a message. */
void state_difference(const struct buf *a, const struct buf *b, char out[512]);

#endif
