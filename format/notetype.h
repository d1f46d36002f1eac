/*
 * Note types with their fields and templates: the JSON of the wire <-> rows of `notetypes`, `fields`, `templates`
 * (collection-format.md §2.4, §3.5).
 */
#ifndef FORMAT_NOTETYPE_H
#define FORMAT_NOTETYPE_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"

struct notetype_part { /* a field or a template; its position in the list is its ord */
	struct buf name;
	struct buf config; /* blob */
};

struct notetype {
	int64_t id;
	int64_t mod_s;
	int32_t usn;
	struct buf name;
	struct buf config; /* blob */
	struct notetype_part *fields, *templates;
	size_t n_fields, n_templates;
};

void notetype_init(struct notetype *n);
void notetype_release(struct notetype *n);
/* Append an empty part and return it, to be filled (valid until the next call). */
struct notetype_part *notetype_add_field(struct notetype *n);
struct notetype_part *notetype_add_template(struct notetype *n);
/*
 * Fill *n (init'ed) from a wire object. 0, or -1 with ERR_BAD_REQUEST naming the note type and the key; two fields or two
 * templates whose names are equal under unicase are an error too.
 */
int notetype_from_json(struct notetype *n, struct json_object *o, struct err *e);
/* Append the wire object. 0, or -1 with ERR_DAMAGED. */
int notetype_print(struct buf *out, const struct notetype *n, struct err *e);
int notetype_check(const struct notetype *n, struct err *e);
/* The field that notes are sorted by (it may exceed n_fields). 0, or -1 with ERR_DAMAGED. */
int notetype_sort_field(struct slice config, uint32_t *sort_field, struct err *e);

#endif
