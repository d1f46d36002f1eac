/*
 * Every call that changes files below one folder, seen before the kernel sees it: counted, recorded, made to fail, or the
 * last thing that this process does. The functions of the C library are replaced for the whole program, SQLite included.
 */
#ifndef TESTS_FAULTS_WATCH_H
#define TESTS_FAULTS_WATCH_H

enum watch_fault {
	WATCH_ONLY,  /* count */
	WATCH_KILL,  /* SIGKILL instead of call number `at` */
	WATCH_ONCE,  /* call number `at` fails */
	WATCH_EVER,  /* and all that follow; with ENOSPC those that need room */
};

/* From now on, in this process. `record`: a descriptor that gets one record per call (see power.py), or -1. */
void watch_begin(const char *folder, enum watch_fault fault, long at, int error, int record);
/* A line of its own in the record. */
void watch_note(const char *text);
/* How many calls there were; nothing is watched any more. */
long watch_end(void);

#endif
