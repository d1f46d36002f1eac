/* One fault: a worker that meets it, and another process that looks at what is left. */
#ifndef TESTS_FAULTS_RUN_H
#define TESTS_FAULTS_RUN_H

#include "tests/faults/client.h"
#include "tests/faults/image.h"
#include "tests/faults/shim.h"
#include "tests/faults/state.h"

struct place {
	char work[100], base[128]; /* base: SYNC_BASE below work */
	struct image template;
	struct state before;
	char key[128]; /* that the last worker gave out */
};

struct plan {
	const struct operation *op;
	enum shim_mode mode;
	enum shim_kind kind;
	uint64_t at;
	int error;
	bool sticky, trace;
};

/* A fresh folder with two users. Ends the program when that fails. */
void place_open(struct place *p);
void place_close(struct place *p);

/* What `op` leaves when nothing is wrong; *calls: how many of `kind` there are to fail. */
void run_clean(struct place *p, const struct operation *op, enum shim_kind kind, bool trace, struct state *after, uint64_t *calls);
/* Put the template back, and run the operation in a worker that meets the fault of the plan. */
void run_worker(struct place *p, const struct plan *plan);
/*
 * In a fresh process: the state is one that it may be, doing the operation again leads to `after`, the next sync works.
 * `acks`: 1 when the operation was answered, 2 when it was after a first try that failed. Without
 * `whole` the state is looked at, and that is all. 0, or -1 with shim->message.
 */
int run_check(struct place *p, const struct operation *op, const struct state *after, int acks, bool whole);

#endif
