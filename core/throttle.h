/*
 * Guessing passwords is slowed (design.md §8): per pair of address and account after 10 failures to one a minute, per
 * address after 100 failures to ten a minute. Kept in one small file of fixed size below SYNC_BASE, shared by all workers,
 * which may vanish at any time: that forgets failures and nothing else.
 *
 * Where many people sit behind one address, failures of some must not lock out the others: an address that has used up its
 * hundred slows only pairs that failed themselves. A pair that did not may try, once; its failure says "busy" as well.
 */
#ifndef CORE_THROTTLE_H
#define CORE_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct throttle {
	int fd;
	uint64_t secret; /* of this file: nobody outside can aim at an entry */
	bool counted;    /* the last try counted as a failure of the address */
};
#define THROTTLE_INIT { .fd = -1 }

/* 0, or -1. The file is made, or made anew when it is not ours. */
int throttle_open(struct throttle *t, const char *base, struct err *e);
void throttle_close(struct throttle *t); /* accepts one that is not open */

enum throttle_answer {
	THROTTLE_PASS,   /* go on */
	THROTTLE_CROWD,  /* go on, but a failure must look like THROTTLE_SLOWED: the address has used up its failures */
	THROTTLE_SLOWED, /* ERR_BUSY, and hash nothing */
};

/*
 * Before the password is looked at: counts this try as a failure, unless the answer is THROTTLE_SLOWED; one of the two below
 * takes that back. `address` is text: an IPv4 address counts by itself, an IPv6 address by its /64, any other text as it
 * is. An answer, or -1.
 */
int throttle_try(struct throttle *t, struct slice address, struct slice account, struct err *e);
/* The password was right: forget the pair's failures, and that the address had one. 0 or -1. */
int throttle_right(struct throttle *t, struct slice address, struct slice account, struct err *e);
/* Nothing was tried after all: take back what throttle_try counted. 0 or -1. */
int throttle_undo(struct throttle *t, struct slice address, struct slice account, struct err *e);
/*
 * Waiting for a place to hash occupies a worker. A class that logs in at once may wait, a flood may not: 100 waits, then
 * one every 10 s, over all workers. 1 wait, 0 do not, -1.
 */
int throttle_wait(struct throttle *t, struct err *e);

#endif
