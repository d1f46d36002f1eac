/*
 * A user's media index, media.db: which names there are, what they contain, and in which order they changed. Contents are
 * files of their own (contents.h), but for short ones (pictures of formulas, say), which would need a block and an inode for
 * a few bytes, and a sync: they lie in their rows.
 * Names are values in a database only, never paths. Every change of a file gets a usn of its own, deletions stay as rows
 * for ever, and a usn is never used twice (protocol.md §5.2). Everything here needs the user's lock.
 */
#ifndef STORAGE_MEDIA_H
#define STORAGE_MEDIA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "storage/contents.h"

struct media;
struct home;

enum { MEDIA_SHORT_BYTES = 1024 };
/* What is not longer than that lies in its row from now on. Tests choose; MEDIA_SHORT_BYTES from the start, and at most. */
void media_assume_short(int64_t bytes);

/*
 * The index of this home, opened or from the cache: 1; 0 when the user never had media (with `make`: it is made); -1.
 * Valid until home_unlock.
 */
int home_media(struct home *h, bool make, struct media **m, struct err *e);

/* The last usn given out, 0 without media: for `meta`. About a microsecond when cached. */
int media_usn(struct home *h, int64_t *usn, struct err *e);

struct media_totals {
	int64_t last_usn, bytes, files; /* bytes and number of files that are not deleted */
};
int media_totals(struct media *m, struct media_totals *t, struct err *e);

struct media_row {
	struct slice name; /* borrowed like `data`; valid until the next call */
	int64_t usn, changed_s;
	bool deleted;
	struct content content; /* unless deleted */
	struct slice data;      /* the content itself; p is NULL when it is a file */
};
/* Several questions between these two are cheaper than alone. Nothing may be changed between them. */
int media_read_begin(struct media *m, struct err *e);
void media_read_end(struct media *m);
int media_find(struct media *m, struct slice name, struct media_row *row, struct err *e); /* 1, 0, -1 */
/*
 * Rows with a usn above `after`, ascending: all of them, or at most `max` without crc32, changed_s and data, as clients want
 * them. Ends early when fn returns other than 0, and returns that.
 */
typedef int media_fn(void *arg, const struct media_row *row, struct err *e);
int media_each(struct media *m, int64_t after, media_fn *fn, void *arg, struct err *e);
int media_changed(struct media *m, int64_t after, int64_t max, media_fn *fn, void *arg, struct err *e);

struct media_change {
	struct slice name;
	int content; /* of the put; -1: the file is deleted */
};
/* May the user's files grow from `before` to `after` bytes? 0, or -1 with *e (ERR_REFUSED, ERR_FULL, …). */
typedef int media_room_fn(void *arg, int64_t before, int64_t after, struct err *e);
/*
 * Apply the changes in their order, all or nothing: contents under their names and on the disk, then one transaction. What
 * changes nothing (the same content again, a deletion of what is not there) gets no usn. `put` went through
 * contents_put_sync; it may be NULL when all are deletions. `room` is asked once, when all is known; it may be NULL.
 * 0 with the last usn, or -1 and nothing is changed; but if the commit itself failed, that is only known later.
 */
int media_apply(struct media *m, struct contents_put *put, const struct media_change *changes, size_t n, media_room_fn *room,
		void *arg, int64_t *last_usn, struct err *e);

/* A descriptor of what the row says, unless it holds it itself: 1, 0 lost (no such file, or another length), -1. */
int media_open(struct media *m, const struct media_row *row, int *fd, struct err *e);
/*
 * Forget files whose contents are lost, all or nothing: no deletion, no usn. Devices that still have one see at their next
 * sanity check that the counts differ, and send it again (protocol.md §5.3). A device makes that check when it has changes
 * of its own to send, or with `tell` at its next sync: the last usn is raised by one that means nothing.
 */
int media_forget(struct media *m, const struct slice *names, size_t n, bool tell, struct err *e);

/*
 * Give every row a new usn, above all that was ever given out, so that each device compares all its files with ours: for an
 * index that was set back (restored), whose numbers devices have seen with another meaning.
 */
int media_renumber(struct media *m, struct err *e);

/* Remove contents that no row needs, once they are that old. */
enum { MEDIA_STRAY_S = 86400 };
struct media_swept {
	int64_t files, bytes; /* removed (or to be removed) */
	int64_t kept;         /* too young */
	int64_t foreign;      /* files that are not ours; they are left alone */
};
int media_sweep(struct media *m, int64_t older_than_s, struct media_swept *swept, struct err *e);
/* The same without removing anything. */
int media_strays(struct media *m, int64_t older_than_s, struct media_swept *found, struct err *e);

/* --- for checks (core/media_check.h) --- */

/* Is the index itself sound, as SQLite sees it? 1; 0 with what is wrong in *why; -1. */
int media_is_sound(struct media *m, struct buf *why, struct err *e);
/* Do the totals and the last usn fit the rows? With `mend` they do afterwards. */
int media_recount(struct media *m, bool mend, bool *wrong, struct err *e);
int media_correct_crc32(struct media *m, struct slice name, uint32_t crc32, struct err *e);
/* Put the index aside, under a name that is printed into `aside`; the next upload begins a new one. Needs the lock, not *m. */
int home_media_set_aside(struct home *h, char aside[HOME_NAME_MAX], struct err *e);

/* After the reply: a checkpoint if it is due, and once a day a sweep, if the lock can be had at once. */
void media_rest(struct home *h);
/* Prepare all statements: for the test that does just that. */
int media_prepare_all(struct media *m, struct err *e);

#endif
