/* What media.c, media_apply.c and media_sweep.c share. Nobody else includes this. */
#ifndef STORAGE_MEDIA_PRIV_H
#define STORAGE_MEDIA_PRIV_H

#include <sys/stat.h>

#include "storage/media.h"
#include "storage/sql.h"

#define MEDIA_DB "media.db"

enum media_stmt {
	MEDIA_BEGIN,
	MEDIA_END,
	MEDIA_META_GET,
	MEDIA_META_SET,
	MEDIA_FIND,
	MEDIA_AFTER,
	MEDIA_AFTER_WHOLE,
	MEDIA_ADD,
	MEDIA_CHANGE,
	MEDIA_DROP,
	MEDIA_LEAST,
	MEDIA_HASHES,
	MEDIA_RENUMBER,
	MEDIA_SUMS,
	MEDIA_SET_CRC,
	MEDIA_STMTS
};

/* The one row of table meta. */
struct media_meta {
	struct media_totals totals;
	int64_t swept_s;
};

struct media {
	struct home *home;
	struct sql sql;
	dev_t dev;
	ino_t ino;
	struct contents contents; /* dirfd -1 while there is no folder */
	char found[MEDIA_SHORT_BYTES]; /* the data of the row that media_find gave */
	bool broken;              /* a commit failed: what is on the disk must be read anew */
	bool large_job;
};

int media_meta_get(struct media *m, struct media_meta *meta, struct err *e);
int media_meta_set(struct media *m, const struct media_meta *meta, struct err *e);
/* The folder of contents: 1, 0 there is none, -1. */
int media_contents(struct media *m, struct err *e);
/* A usn that no device has seen: nobody changes more than a file a second over the years, whatever was lost here. */
int64_t media_unseen_usn(int64_t last_usn);
int media_commit(struct media *m, struct err *e);

#endif
