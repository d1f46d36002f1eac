/*
 * Objects of the wire as tables: a row per JSON key says which field of a blob it goes to, what it accepts and how it is
 * printed (collection-format.md §3.2–3.5). What is peculiar to one object is a function in the row, in that object's file.
 *
 * Reading starts from a message that holds the values of a new object: a key that is absent sets its field to zero,
 * unless the row says KEEP.
 */
#ifndef FORMAT_KEYS_H
#define FORMAT_KEYS_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "format/blob.h"

/* What a key accepts: the words of collection-format.md, head. A negative number for an unsigned field is stored as 0. */
enum word {
	ANY,
	BOOL,
	ANYBOOL,
	NOT,     /* a bool, stored inverted */
	U8,
	U16,
	U32,
	I32,
	I64,
	INT_STR,
	ID,      /* int/str, not 0 */
	I32_STR, /* int/str within int32 */
	ENUM,    /* an integer 0..hi; others found in a blob are printed as 0 */
	STR,
	FLOAT,
	FLOATS,
};

enum key_flag {
	NEED = 1,        /* absent is an error */
	LENIENT = 2,     /* what cannot be used counts as absent */
	NULLABLE = 4,    /* null counts as absent */
	KEEP = 8,        /* absent: the field stays as it is */
	OMIT = 16,       /* not printed while empty: zero, or unset where it can be unset */
	NULL_EMPTY = 32, /* printed as null while empty */
};

/* Instead of a field: columns of the row. */
enum {
	NOWHERE = 0, /* checked when read, then dropped */
	COLUMN_ID = -1,
	COLUMN_MOD = -2,
	COLUMN_USN = -3,
	COLUMN_NAME = -4,
	COLUMN_ORD = -5,
};

struct object;

struct key { /* the last row of a table has no name */
	const char *name;
	int field; /* its number in the message, or a column */
	enum word word;
	unsigned flags;
	double lo, hi;        /* unless both 0: a value outside is printed as that of a new object */
	const char *constant; /* printed whatever was read */
	const struct key *inner;
	/* true: v (NULL is null) was usable and is stored. Instead of `word`. */
	bool (*read)(struct object *o, const struct key *k, struct json_object *v);
	/* Print the value. Instead of what `word` would print. */
	void (*print)(struct buf *out, const struct object *o, const struct key *k);
};

struct object {
	int64_t id, mod_s;
	int32_t usn;
	uint32_t ord;
	ProtobufCBinaryData name;
	ProtobufCMessage *m;          /* where fields go to and come from */
	const ProtobufCMessage *born; /* the values of a new object, where a table has ranges */
	struct json_object *other;    /* printing: unknown keys of the blob, or NULL */
	struct buf unknown;           /* reading: the same in the making, from `{` on */
	struct pool pool;
	bool keys_once; /* reading: a known key that stands twice is an error; else the last one counts */
	bool infinite;  /* reading: a number was beyond single precision: an error even in lenient places */
	void *own;      /* for functions in tables */
};

/* Everything else may be set afterwards. */
void object_init(struct object *o, void *message);
void object_release(struct object *o);

/* Read the keys of one table. 0, or -1 with ERR_BAD_REQUEST naming the key. Texts and lists are borrowed from v and pool. */
int keys_read(struct object *o, const struct key *table, struct json_object *v, struct err *e);
/*
 * Read a message within another: an object, or the list of its values in the order of the table. true when usable. Lists
 * come from o's pool. Doubled keys are no error here.
 */
bool keys_read_tuple(struct object *o, void *message, const struct key *table, struct json_object *v);

/* Append `"key":value` for each row. */
void keys_print(struct buf *out, const struct object *o, const struct key *table);
/* Append the list of values. */
void keys_print_tuple(struct buf *out, void *message, const struct key *table);

/* Append the members of v that are in none of the tables (a list that ends with NULL). v may be NULL. */
void keys_put_unknown(struct buf *out, struct json_object *v, const struct key *const *tables);
/* Reading: close o->unknown and, unless it is empty, make it field 255 of o->m. 0, or -1 with ERR_TOO_BIG. */
int object_keep_unknown(struct object *o, struct err *e);
/* Printing: o->other from field 255 of o->m; what is no JSON object counts as empty. */
void object_parse_other(struct object *o);

/* The value of a number, of a new object's when it is out of the row's range. For functions in tables. */
int64_t key_int(const struct object *o, const struct key *k);
float key_float(const struct object *o, const struct key *k);

/* Single precision also where the compiler calculates in a wider format (collection-format.md §0). */
float to_single(double v);

#endif
