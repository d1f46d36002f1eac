/* Power losses: the states that a disk may be in, of every moment of an operation (disk.h), judged as after any fault. */
#ifndef TESTS_FAULTS_POWER_H
#define TESTS_FAULTS_POWER_H

#include "tests/faults/run.h"

struct power {
	uint64_t states; /* about so many of one operation */
	uint64_t seed;
	uint64_t at;     /* only this moment and, with `how`, only this choice; 0: all */
	const char *how;
	unsigned part, parts;
	uint64_t tried, same, bad; /* results: states, those that were alike and not looked at again, failures */
	/* With shim->message. Does it count? */
	bool (*failed)(const char *op, const char *how, uint64_t at, uint64_t seed);
};

void power_run(struct place *p, const struct operation *op, struct power *w);

#endif
