/*
 * JSON: a strict parser that makes json-c's objects, typed getters, and a printer that writes into a buffer.
 *
 * json-c itself accepts more than JSON (NaN, raw control characters), forgets doubled keys, saturates large integers and
 * turns strings into numbers when asked (hardening.md §4). So texts are parsed by json_parse only, and values are read with
 * the getters below only. The words int, int/str, anybool, … are those of collection-format.md.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct json_limits {
	size_t bytes;      /* of the text */
	size_t containers; /* objects and arrays */
	size_t values;     /* of every kind, keys excluded */
	int depth;         /* nesting of containers */
};

/*
 * hardening.md §4; depth 127 is what official accepts (collection-format.md §3.1). The text may be longer than the 64 MiB
 * named there: a client puts 250 notes into one chunk whatever their size, and one that is refused can never sync again.
 * (MAX_SYNC_PAYLOAD_MEGS limits it as well.)
 */
#define JSON_LIMITS_PAYLOAD ((struct json_limits){ (size_t)256 << 20, 100000, 1000000, 127 })
#define JSON_LIMITS_SMALL ((struct json_limits){ 65536, 64, 1024, 8 }) /* header, login */

/*
 * Parse one value, with white space around it allowed. 0, or -1 with ERR_BAD_REQUEST (not JSON: control characters, lone
 * surrogates, bad UTF-8, numbers beyond a double, a NUL in a key, the key that json_twice uses) or ERR_TOO_BIG. *out is to be released with
 * json_object_put; it is NULL for the JSON text `null`.
 * Integers outside int64/uint64 become doubles, as in official. Of a doubled key the last one counts; json_twice tells.
 */
int json_parse(struct slice text, const struct json_limits *limits, struct json_object **out, struct err *e);
/* The same, and anything but an object is ERR_BAD_REQUEST. */
int json_parse_object(struct slice text, const struct json_limits *limits, struct json_object **out, struct err *e);

/* Did `key` stand more than once in this object? */
bool json_twice(struct json_object *o, const char *key);
/* Is `key` the note that json_parse leaves for json_twice? Skip it when you walk over unknown keys. */
bool json_is_mark(const char *key);

/* Present (null counts as present)? Then *v, borrowed, NULL for null. */
bool json_has(struct json_object *o, const char *key, struct json_object **v);

/* Each: is v of that kind (see collection-format.md, head)? Then *out is set. v may be NULL (null): false. */
bool json_is_int(struct json_object *v, int64_t lo, int64_t hi, int64_t *out);
bool json_is_int_or_str(struct json_object *v, int64_t *out);
bool json_is_bool(struct json_object *v, bool *out);
bool json_is_anybool(struct json_object *v, bool *out);
bool json_is_float(struct json_object *v, float *out); /* any number, rounded to single precision; may be infinite */
bool json_is_str(struct json_object *v, struct slice *out); /* borrowed */
bool json_is_array(struct json_object *v, size_t *len);
bool json_is_object(struct json_object *v);
/* An integer, or a float truncated toward zero and clamped to int64 (wire rows, collection-format.md §3.6). */
bool json_is_truncated(struct json_object *v, int64_t *out);

/* Element of an array, borrowed; NULL for null or out of range. */
struct json_object *json_at(struct json_object *array, size_t i);

/* Required members: 0, or -1 with ERR_BAD_REQUEST naming the key. */
int json_need_int(struct json_object *o, const char *key, int64_t lo, int64_t hi, int64_t *out, struct err *e);
int json_need_bool(struct json_object *o, const char *key, bool *out, struct err *e);
int json_need_str(struct json_object *o, const char *key, struct slice *out, struct err *e);
int json_need_array(struct json_object *o, const char *key, struct json_object **out, size_t *len, struct err *e);
int json_need_object(struct json_object *o, const char *key, struct json_object **out, struct err *e);

/* Printer. No white space, UTF-8 unescaped (collection-format.md §3.1, "output"). */
void json_put_str(struct buf *b, struct slice s); /* with quotes; bytes that are not UTF-8 become U+FFFD */
void json_put_int(struct buf *b, int64_t v);
void json_put_bool(struct buf *b, bool v);
void json_put_float(struct buf *b, float v);   /* shortest that reads back; infinite or NaN: null */
void json_put_double(struct buf *b, double v);
/* Any value, object keys sorted bytewise. */
void json_put_value(struct buf *b, struct json_object *v);
/* `,"key":` (no comma right behind `{` or at the start of the buffer). */
void json_put_key(struct buf *b, const char *key);

#endif
