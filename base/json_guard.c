/*
 * The guard in front of json-c: one pass over the text that checks the grammar as strictly as official does, counts what
 * the text would cost, and notes what json-c would lose. What it notes it writes into the text: an integer beyond 64 bits
 * gets a fraction (json-c would saturate), and an object with doubled keys gets one more member that lists them.
 */
#include "base/json_guard.h"

#include <errno.h>
#include <math.h>

#include "base/utf8.h"

struct edit { /* insert bytes `text` (heap) at `at` */
	size_t at;
	char *text;
};

struct seen_key {
	uint64_t object; /* 0: free */
	uint64_t hash;
	const char *p; /* as written, without the quotes */
	size_t len;
	bool escaped;
	bool noted; /* is in the list of doubled keys already */
};

struct scan {
	const char *p, *end, *start;
	const struct json_limits *limits;
	struct err *e;
	size_t containers, values;
	uint64_t objects;
	struct seen_key *keys;
	size_t n_keys, cap_keys; /* cap is a power of two */
	struct edit *edits;
	size_t n_edits, cap_edits;
};

static int bad(struct scan *s, const char *what)
{
	return err_set(s->e, ERR_BAD_REQUEST, "JSON: %s at byte %zu", what, (size_t)(s->p - s->start));
}

static void add_edit(struct scan *s, size_t at, const char *text, size_t len)
{
	char *copy = xmalloc(len + 1);

	memcpy(copy, text, len);
	copy[len] = 0;
	if (s->n_edits == s->cap_edits) {
		s->cap_edits = s->cap_edits ? 2 * s->cap_edits : 8;
		s->edits = xrealloc(s->edits, s->cap_edits * sizeof *s->edits);
	}
	s->edits[s->n_edits++] = (struct edit){ at, copy };
}

static void skip_space(struct scan *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r'))
		s->p++;
}

static int hex4(struct scan *s, unsigned *out)
{
	unsigned v = 0;

	for (int i = 0; i < 4; i++, s->p++) {
		char c = s->p < s->end ? *s->p : 0;

		if (c >= '0' && c <= '9')
			v = v * 16 + (unsigned)(c - '0');
		else if (c >= 'a' && c <= 'f')
			v = v * 16 + (unsigned)(c - 'a' + 10);
		else if (c >= 'A' && c <= 'F')
			v = v * 16 + (unsigned)(c - 'A' + 10);
		else
			return bad(s, "bad \\u escape");
	}
	*out = v;
	return 0;
}

/* Behind the backslash. *code is the code point that the escape means. */
static int scan_escape(struct scan *s, unsigned *code)
{
	static const char plain[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";
	unsigned low;
	const char *hit;
	char c;

	if (s->p == s->end)
		return bad(s, "text ends in a string");
	c = *s->p++;
	hit = c ? strchr(plain, c) : NULL;
	if (hit) {
		*code = (unsigned char)means[hit - plain];
		return 0;
	}
	if (c != 'u')
		return bad(s, "unknown escape");
	if (hex4(s, code) != 0)
		return -1;
	if (*code >= 0xDC00 && *code <= 0xDFFF)
		return bad(s, "lone surrogate");
	if (*code >= 0xD800 && *code <= 0xDBFF) {
		if (s->end - s->p < 2 || s->p[0] != '\\' || s->p[1] != 'u')
			return bad(s, "lone surrogate");
		s->p += 2;
		if (hex4(s, &low) != 0)
			return -1;
		if (low < 0xDC00 || low > 0xDFFF)
			return bad(s, "lone surrogate");
		*code = 0x10000 + ((*code - 0xD800) << 10) + (low - 0xDC00);
	}
	return 0;
}

/* At the opening quote; leaves behind the closing one. */
static int scan_string(struct scan *s, struct slice *raw, bool *escaped, bool *has_nul)
{
	const char *begin = ++s->p;
	unsigned code;

	*escaped = *has_nul = false;
	for (;;) {
		if (s->p == s->end)
			return bad(s, "text ends in a string");
		unsigned char c = (unsigned char)*s->p;
		if (c == '"')
			break;
		if (c < 0x20)
			return bad(s, "raw control character in a string");
		if (c == '\\') {
			*escaped = true;
			s->p++;
			if (scan_escape(s, &code) != 0)
				return -1;
			if (code == 0)
				*has_nul = true;
		} else if (c < 0x80) {
			s->p++;
		} else {
			size_t n = utf8_sequence(s->p, (size_t)(s->end - s->p));

			if (n == 0)
				return bad(s, "bad UTF-8");
			s->p += n;
		}
	}
	*raw = (struct slice){ begin, (size_t)(s->p - begin) };
	s->p++;
	return 0;
}

static bool digit(const struct scan *s)
{
	return s->p < s->end && *s->p >= '0' && *s->p <= '9';
}

static int scan_number(struct scan *s)
{
	const char *begin = s->p;
	bool fraction = false;
	char text[400];
	size_t len;

	if (*s->p == '-')
		s->p++;
	if (!digit(s))
		return bad(s, "bad number");
	if (*s->p == '0')
		s->p++;
	else
		while (digit(s))
			s->p++;
	if (digit(s))
		return bad(s, "number with a leading zero");
	if (s->p < s->end && *s->p == '.') {
		fraction = true;
		s->p++;
		if (!digit(s))
			return bad(s, "bad number");
		while (digit(s))
			s->p++;
	}
	if (s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
		fraction = true;
		s->p++;
		if (s->p < s->end && (*s->p == '+' || *s->p == '-'))
			s->p++;
		if (!digit(s))
			return bad(s, "bad number");
		while (digit(s))
			s->p++;
	}
	len = (size_t)(s->p - begin);
	if (!fraction && len < 19 && !(len == 2 && begin[0] == '-' && begin[1] == '0'))
		return 0;
	if (len >= sizeof text)
		return bad(s, "number with too many digits");
	memcpy(text, begin, len);
	text[len] = 0;
	if (!fraction) {
		bool out_of_range;

		errno = 0;
		if (text[0] == '-')
			strtoll(text, NULL, 10);
		else
			strtoull(text, NULL, 10);
		out_of_range = errno == ERANGE;
		if (out_of_range || (text[0] == '-' && text[1] == '0'))
			add_edit(s, (size_t)(s->p - s->start), ".0", 2);
		if (!out_of_range)
			return 0;
	}
	if (isinf(strtod(text, NULL)))
		return bad(s, "number out of range");
	return 0;
}

static uint64_t hash_key(uint64_t object, struct slice key)
{
	uint64_t h = 14695981039346656037ULL ^ (object * 0x9E3779B97F4A7C15ULL);

	for (size_t i = 0; i < key.len; i++)
		h = (h ^ (unsigned char)key.p[i]) * 1099511628211ULL;
	h ^= h >> 32;
	return h;
}

static void grow_keys(struct scan *s)
{
	struct seen_key *old = s->keys;
	size_t old_cap = s->cap_keys;

	s->cap_keys = old_cap ? 4 * old_cap : 256;
	s->keys = xcalloc(s->cap_keys, sizeof *s->keys);
	for (size_t i = 0; i < old_cap; i++) {
		if (!old[i].object)
			continue;
		size_t at = old[i].hash & (s->cap_keys - 1);
		while (s->keys[at].object)
			at = (at + 1) & (s->cap_keys - 1);
		s->keys[at] = old[i];
	}
	free(old);
}

enum key_news { KEY_NEW, KEY_SECOND_TIME, KEY_KNOWN_DOUBLE };

/* Note a key of an object. Only KEY_NEW keeps the bytes of `key`. */
static enum key_news note_key(struct scan *s, uint64_t object, struct slice key, bool escaped)
{
	uint64_t h = hash_key(object, key);
	size_t at;

	if (4 * (s->n_keys + 1) > 3 * s->cap_keys)
		grow_keys(s);
	at = h & (s->cap_keys - 1);
	for (; s->keys[at].object; at = (at + 1) & (s->cap_keys - 1)) {
		struct seen_key *k = &s->keys[at];

		if (k->object == object && k->hash == h && k->len == key.len && memcmp(k->p, key.p, key.len) == 0) {
			if (k->noted)
				return KEY_KNOWN_DOUBLE;
			k->noted = true;
			return KEY_SECOND_TIME;
		}
	}
	s->keys[at] = (struct seen_key){ object, h, key.p, key.len, escaped, false };
	s->n_keys++;
	return KEY_NEW;
}

static int scan_value(struct scan *s, int depth);

static int count_container(struct scan *s, int depth)
{
	if (depth > s->limits->depth)
		return bad(s, "nesting too deep");
	if (++s->containers > s->limits->containers)
		return err_set(s->e, ERR_TOO_BIG, "JSON: more than %zu objects and arrays", s->limits->containers);
	return 0;
}

static int scan_array(struct scan *s, int depth)
{
	if (count_container(s, depth) != 0)
		return -1;
	s->p++;
	skip_space(s);
	if (s->p < s->end && *s->p == ']') {
		s->p++;
		return 0;
	}
	for (;;) {
		if (scan_value(s, depth) != 0)
			return -1;
		skip_space(s);
		if (s->p == s->end)
			return bad(s, "text ends in an array");
		if (*s->p == ']') {
			s->p++;
			return 0;
		}
		if (*s->p++ != ',')
			return bad(s, "neither , nor ] in an array");
	}
}

/*
 * Keys are compared as they are written when they have no escapes. A key with escapes is compared in its decoded form,
 * a copy of its own that seen_key keeps until the end.
 */
static struct slice plain_key(struct slice raw)
{
	struct json_tokener *tok = json_tokener_new();
	struct json_object *v;
	char *copy;
	size_t len;

	v = json_tokener_parse_ex(tok, raw.p - 1, (int)raw.len + 2);
	len = v ? (size_t)json_object_get_string_len(v) : 0;
	copy = xmalloc(len + 1);
	memcpy(copy, v ? json_object_get_string(v) : "", len);
	copy[len] = 0;
	json_object_put(v);
	json_tokener_free(tok);
	return (struct slice){ copy, len };
}

static int scan_object(struct scan *s, int depth)
{
	uint64_t object = ++s->objects;
	struct buf twice = BUF_INIT(BUF_UNBOUNDED);
	int rc = -1;

	if (count_container(s, depth) != 0)
		return -1;
	s->p++;
	skip_space(s);
	if (s->p < s->end && *s->p == '}') {
		s->p++;
		return 0;
	}
	for (;;) {
		struct slice key;
		bool escaped, has_nul;
		enum key_news news;

		skip_space(s);
		if (s->p == s->end || *s->p != '"') {
			bad(s, "no key in an object");
			goto out;
		}
		if (scan_string(s, &key, &escaped, &has_nul) != 0)
			goto out;
		if (has_nul) {
			bad(s, "NUL in a key");
			goto out;
		}
		if (escaped)
			key = plain_key(key);
		news = note_key(s, object, key, escaped);
		if (news == KEY_SECOND_TIME) {
			buf_puts(&twice, twice.len ? "," : "");
			json_put_str(&twice, key);
		}
		if (escaped && news != KEY_NEW)
			free((char *)key.p);
		skip_space(s);
		if (s->p == s->end || *s->p++ != ':') {
			bad(s, "no : behind a key");
			goto out;
		}
		if (scan_value(s, depth) != 0)
			goto out;
		skip_space(s);
		if (s->p == s->end) {
			bad(s, "text ends in an object");
			goto out;
		}
		if (*s->p == '}')
			break;
		if (*s->p++ != ',') {
			bad(s, "neither , nor } in an object");
			goto out;
		}
	}
	if (twice.len) {
		struct buf mark = BUF_INIT(BUF_UNBOUNDED);

		buf_printf(&mark, ",\"%s\":[%s]", JSON_MARK_ESCAPED, buf_str(&twice));
		add_edit(s, (size_t)(s->p - s->start), mark.data, mark.len);
		buf_release(&mark);
	}
	s->p++;
	rc = 0;
out:
	buf_release(&twice);
	return rc;
}

static int scan_word(struct scan *s, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(s->end - s->p) < n || memcmp(s->p, word, n) != 0)
		return bad(s, "unknown word");
	s->p += n;
	return 0;
}

static int scan_value(struct scan *s, int depth)
{
	struct slice raw;
	bool escaped, has_nul;

	if (++s->values > s->limits->values)
		return err_set(s->e, ERR_TOO_BIG, "JSON: more than %zu values", s->limits->values);
	skip_space(s);
	if (s->p == s->end)
		return bad(s, "text ends where a value should be");
	switch (*s->p) {
	case '{':
		return scan_object(s, depth + 1);
	case '[':
		return scan_array(s, depth + 1);
	case '"':
		return scan_string(s, &raw, &escaped, &has_nul);
	case 't':
		return scan_word(s, "true");
	case 'f':
		return scan_word(s, "false");
	case 'n':
		return scan_word(s, "null");
	default:
		return scan_number(s);
	}
}

static void apply_edits(struct scan *s, struct slice text, struct buf *out)
{
	size_t from = 0;

	for (size_t i = 0; i < s->n_edits; i++) {
		buf_put(out, text.p + from, s->edits[i].at - from);
		buf_puts(out, s->edits[i].text);
		from = s->edits[i].at;
	}
	buf_put(out, text.p + from, text.len - from);
}

int json_guard(struct slice text, const struct json_limits *limits, struct buf *rewritten, struct err *e)
{
	struct scan s = { text.p, text.p + text.len, text.p, limits, e };
	int rc = -1;

	if (text.len > limits->bytes)
		return err_set(e, ERR_TOO_BIG, "JSON: %zu bytes; at most %zu", text.len, limits->bytes);
	if (scan_value(&s, 0) != 0)
		goto out;
	skip_space(&s);
	if (s.p != s.end) {
		bad(&s, "more text behind the value");
		goto out;
	}
	if (s.n_edits)
		apply_edits(&s, text, rewritten);
	rc = 0;
out:
	for (size_t i = 0; i < s.n_edits; i++)
		free(s.edits[i].text);
	free(s.edits);
	for (size_t i = 0; i < s.cap_keys; i++)
		if (s.keys[i].object && s.keys[i].escaped)
			free((char *)s.keys[i].p);
	free(s.keys);
	return rc;
}
