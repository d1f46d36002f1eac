/* What the files of the noun `media` share. */
#ifndef ADMIN_MEDIA_H
#define ADMIN_MEDIA_H

#include "admin/admin.h"
#include "storage/home.h"
#include "storage/media.h"

/* media.c. Opens the data and finds the user's home; 0, or an exit code with the message printed. */
int media_home(struct admin *a, const char *user, struct home **h);

/* All files that are not deleted, in the order of their usns; names have a NUL behind them. */
struct media_file {
	char *name;
	int64_t usn, changed_s;
	struct content content;
	char *data; /* the content, where the index holds it and it was asked for; else NULL */
};
struct media_files {
	bool with_data;
	struct media_file *list;
	size_t n, cap;
	int64_t bytes;
};
/* *f zeroed but for with_data. Takes the user's lock for as long as it takes to read the index. 0, or an exit code with the message printed. */
int media_files_read(struct home *h, struct media_files *f);
void media_files_release(struct media_files *f);

/* A line on the terminal that grows ("12 %, 345 MB"), if stderr is one; else nothing. */
struct progress {
	const char *what;
	int64_t shown_ms;
	bool on;
};
void progress_show(struct progress *p, int64_t done_bytes, int64_t all_bytes);
void progress_end(struct progress *p);

/* media_check.c, media_export.c */
extern const struct flag media_check_flags[];
int media_check(struct admin *a, const struct args *args);
int media_export(struct admin *a, const struct args *args);

#endif
