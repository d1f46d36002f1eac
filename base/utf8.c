/* See utf8.h. The ranges are table 3-7 of the Unicode standard. */
#include "base/utf8.h"

/* How many bytes of the sequence at p are well formed so far, and how many it should have (0: no lead byte). */
static size_t good_prefix(const unsigned char *p, size_t n, size_t *want)
{
	unsigned lo = 0x80, hi = 0xBF;
	size_t i;

	if (p[0] < 0x80)
		*want = 1;
	else if (p[0] >= 0xC2 && p[0] <= 0xDF)
		*want = 2;
	else if (p[0] >= 0xE0 && p[0] <= 0xEF)
		*want = 3;
	else if (p[0] >= 0xF0 && p[0] <= 0xF4)
		*want = 4;
	else
		*want = 0;
	if (!*want)
		return 0;
	if (p[0] == 0xE0)
		lo = 0xA0;
	else if (p[0] == 0xED)
		hi = 0x9F;
	else if (p[0] == 0xF0)
		lo = 0x90;
	else if (p[0] == 0xF4)
		hi = 0x8F;
	for (i = 1; i < *want && i < n; i++) {
		if (p[i] < lo || p[i] > hi)
			break;
		lo = 0x80;
		hi = 0xBF;
	}
	return i;
}

size_t utf8_sequence(const char *p, size_t n)
{
	size_t want, have;

	if (n == 0)
		return 0;
	have = good_prefix((const unsigned char *)p, n, &want);
	return have == want ? want : 0;
}

size_t utf8_bad_part(const char *p, size_t n)
{
	size_t want, have = good_prefix((const unsigned char *)p, n, &want);

	return have ? have : 1;
}

static bool is_tail(char c)
{
	return ((unsigned char)c & 0xC0) == 0x80;
}

/* Whole books pass here: eight plain bytes at a time, and no detours for most of the scripts there are. */
bool utf8_valid(struct slice s)
{
	const char *p = s.len ? s.p : "", *end = p + s.len;

	for (size_t n; p < end; p += n) {
		unsigned char c = (unsigned char)*p;
		uint64_t eight = UINT64_MAX;

		if (end - p >= 8)
			memcpy(&eight, p, 8);
		if ((eight & 0x8080808080808080u) == 0)
			n = 8;
		else if (c < 0x80)
			n = 1;
		else if (c >= 0xC2 && c <= 0xDF && end - p >= 2 && is_tail(p[1]))
			n = 2;
		else if (c >= 0xE1 && c <= 0xEF && c != 0xED && end - p >= 3 && is_tail(p[1]) && is_tail(p[2]))
			n = 3;
		else if (!(n = utf8_sequence(p, (size_t)(end - p))))
			return false;
	}
	return true;
}

uint32_t utf8_decode(const char *text, size_t n, size_t *used)
{
	const unsigned char *p = (const unsigned char *)text;

	*used = 1;
	if (p[0] < 0x80)
		return p[0];
	*used = utf8_sequence(text, n);
	switch (*used) {
	case 0:
		*used = utf8_bad_part(text, n);
		return 0xFFFD;
	case 2:
		return (p[0] & 0x1Fu) << 6 | (p[1] & 0x3Fu);
	case 3:
		return (p[0] & 0x0Fu) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu);
	default:
		return (p[0] & 0x07u) << 18 | (p[1] & 0x3Fu) << 12 | (p[2] & 0x3Fu) << 6 | (p[3] & 0x3Fu);
	}
}

size_t utf8_encode(uint32_t c, char *out)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xC0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3F));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xE0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3F));
		out[2] = (char)(0x80 | (c & 0x3F));
		return 3;
	}
	out[0] = (char)(0xF0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3F));
	out[2] = (char)(0x80 | (c >> 6 & 0x3F));
	out[3] = (char)(0x80 | (c & 0x3F));
	return 4;
}

void utf8_put(struct buf *b, uint32_t code)
{
	char bytes[4];

	buf_put(b, bytes, utf8_encode(code, bytes));
}

void utf8_put_lossy(struct buf *b, struct slice s)
{
	for (size_t at = 0, used; at < s.len; at += used)
		utf8_put(b, utf8_decode(s.p + at, s.len - at, &used));
}
