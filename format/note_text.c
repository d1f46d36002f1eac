/*
 * See note_text.h. Each step makes the text shorter or leaves it as long, so all of them work in place. None looks twice
 * for a closing that it did not find once: the time stays linear, whatever a client sends.
 */
#include "format/note_text.h"

#include "base/digest.h"
#include "base/utf8.h"
#include "format/media_tag.h"

struct entity {
	char name[9];
	uint32_t code;
};

#include "format/entity_table.h"

struct tag_search {
	const char *s, *end;
	bool no_comment_end, no_block_end[2];
};

static const char *const blocks[] = { "style", "script" };

/* Behind the first `</name>` from p on, or NULL. */
static const char *block_end(const char *p, const char *end, const char *name)
{
	for (; p < end && (p = memchr(p, '<', (size_t)(end - p))); p++) {
		size_t len = end - p > 2 && p[1] == '/' ? letters_match(p + 2, end, name) : 0;

		if (len && p + 2 + len < end && p[2 + len] == '>')
			return p + 3 + len;
	}
	return NULL;
}

/* At a `<`: behind the tag, or NULL when no tag begins here or later. */
static const char *tag_end(struct tag_search *f, const char *p)
{
	const char *close = memchr(p + 1, '>', (size_t)(f->end - p - 1)), *hit;

	if (!close)
		return NULL;
	if (f->end - p > 4 && memcmp(p, "<!--", 4) == 0 && !f->no_comment_end) {
		hit = memmem(p + 4, (size_t)(f->end - p - 4), "-->", 3);
		if (hit)
			return hit + 3;
		f->no_comment_end = true;
	}
	for (size_t k = 0; k < 2; k++) {
		if (f->no_block_end[k] || !letters_match(p + 1, f->end, blocks[k]))
			continue;
		hit = block_end(close + 1, f->end, blocks[k]);
		if (hit)
			return hit;
		f->no_block_end[k] = true;
	}
	return close + 1;
}

static void remove_tags(struct buf *text)
{
	struct tag_search f = { text->data, text->data + text->len };
	char *to = text->data;
	const char *from = text->data, *p = text->data, *end;

	while (p < f.end && (p = memchr(p, '<', (size_t)(f.end - p))) && (end = tag_end(&f, p))) {
		memmove(to, from, (size_t)(p - from));
		to += p - from;
		from = p = end;
	}
	memmove(to, from, (size_t)(f.end - from));
	buf_truncate(text, (size_t)(to - text->data) + (size_t)(f.end - from));
}

static int digit_of(char c, unsigned base)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (base == 16 && (c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		return (c | 0x20) - 'a' + 10;
	return -1;
}

/* Behind `&#`. Where the `;` is, or NULL. */
static const char *number_entity(const char *p, const char *end, uint32_t *code)
{
	unsigned base = 10;
	const char *first;

	if (p < end && *p == 'x') {
		base = 16;
		p++;
	}
	*code = 0;
	for (first = p; p < end && digit_of(*p, base) >= 0; p++)
		if (*code <= 0x10FFFF)
			*code = *code * base + (uint32_t)digit_of(*p, base);
	if (p == first || *code > 0x10FFFF || (*code >= 0xD800 && *code <= 0xDFFF))
		return NULL;
	return p;
}

static int by_name(const void *key, const void *entity)
{
	return strcmp(key, ((const struct entity *)entity)->name);
}

/* At a `&`. Behind the `;` of a well-formed entity, or NULL. */
static const char *entity_end(const char *p, const char *end, uint32_t *code)
{
	char name[sizeof entities->name] = "";
	const struct entity *hit;
	size_t n = 0;

	if (++p < end && *p == '#') {
		p = number_entity(p + 1, end, code);
		return p && p < end && *p == ';' ? p + 1 : NULL;
	}
	while (p + n < end && p[n] != ';' && n < sizeof name - 1) {
		name[n] = p[n];
		n++;
	}
	if (p + n == end || p[n] != ';')
		return NULL;
	hit = bsearch(name, entities, sizeof entities / sizeof *entities, sizeof *entities, by_name);
	if (!hit || strlen(hit->name) != n)
		return NULL;
	*code = hit->code;
	return p + n + 1;
}

static bool all_entities_are_good(struct slice s)
{
	const char *p = s.p, *end = s.p + s.len;
	uint32_t code;

	while (p < end && (p = memchr(p, '&', (size_t)(end - p))))
		if (!(p = entity_end(p, end, &code)))
			return false;
	return true;
}

/* All of them or none: false. An entity is always longer than what it stands for. */
static bool decode_entities(struct buf *text)
{
	const char *end = text->data + text->len, *from = text->data, *p = from;
	char *to = text->data;
	uint32_t code;

	if (!all_entities_are_good(buf_slice(text)))
		return false;
	while (p < end && (p = memchr(p, '&', (size_t)(end - p)))) {
		memmove(to, from, (size_t)(p - from));
		to += p - from;
		from = p = entity_end(p, end, &code);
		to += utf8_encode(code, to);
	}
	memmove(to, from, (size_t)(end - from));
	buf_truncate(text, (size_t)(to - text->data) + (size_t)(end - from));
	return true;
}

static void no_break_spaces_to_spaces(struct buf *text)
{
	const char *end = text->data + text->len;
	char *to = text->data;

	if (!memmem(text->data, text->len, "\xC2\xA0", 2))
		return;
	for (const char *p = text->data; p < end; p++) {
		if (*p == '\xC2' && p + 1 < end && p[1] == '\xA0') {
			*to++ = ' ';
			p++;
		} else {
			*to++ = *p;
		}
	}
	buf_truncate(text, (size_t)(to - text->data));
}

void note_text_strip(struct slice field, struct buf *out)
{
	buf_set(out, field.p, field.len);
	if (out->len && memchr(out->data, '<', out->len)) {
		media_tags_to_names(out);
		remove_tags(out);
	}
	if (out->len && memchr(out->data, '&', out->len) && decode_entities(out))
		no_break_spaces_to_spaces(out);
}

/* Field number `index` of the joined ones. */
static bool field_at(struct slice flds, uint32_t index, struct slice *field)
{
	const char *hit;

	for (;; index--) {
		hit = flds.len ? memchr(flds.p, 0x1F, flds.len) : NULL;
		*field = (struct slice){ flds.p, hit ? (size_t)(hit - flds.p) : flds.len };
		if (index == 0)
			return true;
		if (!hit)
			return false;
		flds = (struct slice){ hit + 1, flds.len - field->len - 1 };
	}
}

static uint32_t checksum(struct slice text)
{
	uint8_t digest[SHA1_BYTES];

	sha1(text, digest);
	return (uint32_t)digest[0] << 24 | (uint32_t)digest[1] << 16 | (uint32_t)digest[2] << 8 | digest[3];
}

void note_text(struct slice flds, uint32_t sort_field, struct buf *sfld, uint32_t *csum)
{
	struct slice field;

	field_at(flds, 0, &field);
	note_text_strip(field, sfld);
	*csum = checksum(buf_slice(sfld));
	if (sort_field == 0)
		return;
	if (field_at(flds, sort_field, &field))
		note_text_strip(field, sfld);
	else
		buf_reset(sfld);
}
