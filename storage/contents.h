/*
 * The contents of a user's media files but the shortest (media.h): each once, under its SHA-1, in the folder media/ of the
 * home. put, open, stat, delete, list: that is all the rest knows of where they lie, so that another store can take its
 * place (design.md §10).
 * Which names they have for the user, and which are needed at all, is in media.db (media.h).
 *
 * All in one folder, not spread over 256: every folder that gets a name must reach the disk by an fsync of its own, so 25
 * files in 24 folders take 49 flushes of the disk and 6.5 ms instead of 26 and 2.8. ext4, XFS and btrfs find a name among
 * 100,000 as fast as among ten, and clients keep their media in one folder, too.
 */
#ifndef STORAGE_CONTENTS_H
#define STORAGE_CONTENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "storage/home.h"

struct content {
	uint8_t sha1[SHA1_BYTES];
	uint32_t crc32; /* as in a zip */
	int64_t bytes;
};

/*
 * Contents on their way in. A process that dies in between leaves files that are swept (media.h).
 *
 *   new -> (begin, write…, end)… -> sync -> [user's lock] keep… -> settle -> the database row, or undo -> free
 */
struct contents_put;
enum { CONTENTS_PUT_MAX = 64 };

/* The folder is made when it is not there. NULL with *e set. */
struct contents_put *contents_put_new(struct home *h, struct err *e);
/* Removes what was not kept. Accepts NULL. */
void contents_put_free(struct contents_put *p);

int contents_put_begin(struct contents_put *p, struct err *e);
int contents_put_write(struct contents_put *p, const void *data, size_t n, struct err *e);
int contents_put_end(struct contents_put *p, struct err *e);
size_t contents_put_count(const struct contents_put *p);
const struct content *contents_put_content(const struct contents_put *p, size_t i);
/* Its bytes, borrowed until contents_put_free, if they are in memory (most are); else p is NULL. */
struct slice contents_put_memory(const struct contents_put *p, size_t i);

/* The large ones go to the disk. Before the lock is taken, since it may take long. */
int contents_put_sync(struct contents_put *p, struct err *e);
/* Give content i its name. If the name is there already the same bytes take its place, which heals a damaged file. */
int contents_put_keep(struct contents_put *p, size_t i, struct err *e);
/* What was kept is on the disk under its name. */
int contents_put_settle(struct contents_put *p, struct err *e);
/* The row was not even tried: names that are new go again. Under the same lock as keep. */
void contents_put_undo(struct contents_put *p);
/*
 * There are two ways to the disk, one for when nobody else writes. Tests choose: 1 nobody does, 0 somebody does, -1 look
 * (as from the start).
 */
void contents_put_assume_quiet(int quiet);

/* The folder, for everything else. */
struct contents {
	int dirfd;
	char path[PATH_MAX];
};
#define CONTENTS_INIT { .dirfd = -1 }
#define CONTENTS_TEMPORARY "tmp-" /* names of files that are not finished begin so */
enum { CONTENTS_NAME_BYTES = 64 };
void contents_name(const uint8_t sha1[SHA1_BYTES], char name[CONTENTS_NAME_BYTES]);
/* 1; 0 when the user has no such folder yet; -1. */
int contents_open(struct contents *c, const struct home *h, struct err *e);
/* The same, and one is made, durably, when there is none: 0 or -1. */
int contents_make(struct contents *c, const struct home *h, struct err *e);
void contents_close(struct contents *c); /* accepts one that is not open */

/* A descriptor for reading (the caller closes it): 1; 0 when it is not there or has another length; -1. */
int contents_get(const struct contents *c, const struct content *content, int *fd, struct err *e);
/* 1 with length and time of the last change, 0, -1. */
int contents_stat(const struct contents *c, const uint8_t sha1[SHA1_BYTES], int64_t *bytes, int64_t *changed_s, struct err *e);
/* Its last change is now: sweeping leaves it alone for a day. Failure is no harm. */
void contents_touch(const struct contents *c, const uint8_t sha1[SHA1_BYTES]);
/* Rename a damaged one to damaged-<sha1>, as something that nobody needs and nobody sweeps. */
int contents_set_aside(const struct contents *c, const uint8_t sha1[SHA1_BYTES], struct err *e);
int contents_delete(const struct contents *c, const char *name, struct err *e);

struct contents_entry {
	const char *name;
	bool is_content, is_temporary; /* else: somebody else put it there */
	uint8_t sha1[SHA1_BYTES];      /* of a content */
};
typedef int contents_fn(void *arg, const struct contents_entry *entry, struct err *e);
/* Every file, in no order. Ends early when fn returns other than 0, and returns that. fn may delete the entry. */
int contents_list(const struct contents *c, contents_fn *fn, void *arg, struct err *e);
/* The same as contents_stat, of an entry. */
int contents_stat_name(const struct contents *c, const char *name, int64_t *bytes, int64_t *changed_s, struct err *e);

#endif
