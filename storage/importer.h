/*
 * Uploaded collections are opened by a child process only, which shares nothing with its parent but two file names: what a
 * crafted file makes of it stays in there (hardening.md §2.1). The child copies the rows into a new file of ours; the
 * parent trusts its exit status and that file, never the uploaded one.
 */
#ifndef STORAGE_IMPORTER_H
#define STORAGE_IMPORTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* How a program is started as the child: PROGRAM IMPORTER_OPTION SRC DST. Its main must hand over to importer_main then. */
#define IMPORTER_OPTION "--import"

struct import_result {
	int64_t schema; /* of the uploaded file: 11, 14..18 */
	int64_t cards, notes, revlog, notetypes, decks, deck_configs;
	int64_t mended; /* rows with values that no client could have sent, or with usn -1 */
};

/*
 * Import the file `src` into `dst` (absolute; empty or absent; on disk when it returns 0, of no use after -1) in a child,
 * which gets at most `seconds`. ERR_REFUSED has a sentence for the user; ERR_FULL, ERR_CUT_OFF, ERR_INTERNAL.
 */
int import_run(const char *src, const char *dst, int seconds, struct import_result *r, struct err *e);

/* The child. Returns its exit status. */
int importer_main(int argc, char **argv);

#endif
