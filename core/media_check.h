/*
 * Does a user's media index fit what lies on the disk, byte for byte? And can it be made so that devices send again what is
 * lost, without their users doing anything? For administrators; the server may be running.
 */
#ifndef CORE_MEDIA_CHECK_H
#define CORE_MEDIA_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct home;

enum media_finding_kind {
	MEDIA_INDEX_DAMAGED, /* `name` says how. Mended: set aside, devices send all again */
	MEDIA_COUNTS_WRONG,  /* mended: counted anew */
	MEDIA_MISSING,       /* the content is not there. Mended: forgotten, devices send it again */
	MEDIA_DAMAGED,       /* the content has another length or hash. Mended: set aside and forgotten */
	MEDIA_CHECKSUM,      /* the content is right, but not the checksum that goes into zips. Mended: corrected */
};

struct media_check {
	bool repair;
	/* Called for each finding, while the user's lock is held. `name` is borrowed. */
	void (*found)(void *arg, enum media_finding_kind kind, struct slice name);
	/* Called now and then while contents are read, without the lock. May be NULL. */
	void (*progress)(void *arg, int64_t done_bytes, int64_t all_bytes);
	void *arg;
	/* Filled: */
	int64_t files, bytes;     /* that should be there */
	int64_t findings;
	int64_t strays, foreign;  /* contents that no row needs (swept in time), files that are not ours */
};

/* 0, also with findings, or -1. Takes the lock at the beginning and at the end only. */
int media_check_run(struct home *h, struct media_check *c, struct err *e);

#endif
