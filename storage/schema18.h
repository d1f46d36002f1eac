/*
 * The schema of a collection file (schema 18) as literal SQL, and what a new, empty collection holds
 * (collection-format.md §1.1–1.3). Whoever fills a file makes the tables first and the indexes afterwards: four times as
 * fast, and every index is then known to fit its table (performance-facts.md, "Upload").
 */
#ifndef STORAGE_SCHEMA18_H
#define STORAGE_SCHEMA18_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "storage/collection.h"

/* For collections in the making (collection_open_build). Each 0 or -1. */
int schema18_make_tables(struct collection *c, struct err *e);
/* The unique indexes, of names; or all others. A name that is there twice is ERR_BAD_REQUEST. */
int schema18_make_indexes(struct collection *c, bool unique, struct err *e);
int schema18_put_col(struct collection *c, const struct col_row *row, struct err *e);
/* In schema 11 graves have no key, and most other things are in table col (§1.5). */
#define SCHEMA11_GRAVES "CREATE TABLE graves (usn integer NOT NULL, oid integer NOT NULL, type integer NOT NULL)"

/*
 * All of a new collection: tables, indexes, deck 1, options 1 and two plain note types, mod and usn 0,
 * scm `now_ms`, created at the last 04:00 UTC.
 */
int schema18_fill_new(struct collection *c, int64_t now_ms, struct err *e);

/* The same in the empty or absent file `path` (absolute): on disk when it returns 0; after -1 the file is of no use. */
int collection_create(const char *path, int64_t now_ms, struct err *e);

/*
 * A file in the making that has been closed: give its header the WAL flag that clients' files have
 * (collection-format.md §1.1) and fsync it. For files that no connection of this process has open.
 */
int collection_seal(const char *path, struct err *e);

#endif
