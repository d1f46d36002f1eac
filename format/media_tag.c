/*
 * See media_tag.h. A media tag is what a backtracking regular expression finds first: items of one character, or of a
 * quoted string when nothing else helps, until `src=` or `data=` with a value that ends. Whether the rest of a tag fits
 * depends on the position alone, not on the way to it. So a position that failed once is never tried again, in whatever
 * tag, and the search takes linear time.
 */
#include "format/media_tag.h"

#include <utf8proc.h>

#include "base/utf8.h"

#define NONE SIZE_MAX

struct search {
	const char *s;
	size_t n;
	size_t last_end;    /* of all `>`; NONE without any */
	uint8_t *dead;      /* a bit per position that failed; made for the first media tag */
	size_t *jumps;      /* opening quotes whose strings have not been jumped over */
	size_t n_jumps, cap_jumps;
};

struct found {
	size_t name, name_end; /* the file name */
	size_t end;            /* behind the tag */
};

size_t letters_match(const char *p, const char *end, const char *word)
{
	const char *begin = p;

	for (; *word; word++) {
		if (*word == 's' && end - p >= 2 && p[0] == '\xC5' && p[1] == '\xBF') {
			p += 2;
			continue;
		}
		if (p == end || (*p | (*word >= 'a' ? 0x20 : 0)) != *word)
			return 0;
		p++;
	}
	return (size_t)(p - begin);
}

static bool is_word(uint32_t c)
{
	if (c < 0x80)
		return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
	if (c == 0x200C || c == 0x200D || (c >= 0x24B6 && c <= 0x24E9) || (c >= 0x1F130 && c <= 0x1F149) ||
	    (c >= 0x1F150 && c <= 0x1F169) || (c >= 0x1F170 && c <= 0x1F189))
		return true;
	switch (utf8proc_category((utf8proc_int32_t)c)) {
	case UTF8PROC_CATEGORY_LU:
	case UTF8PROC_CATEGORY_LL:
	case UTF8PROC_CATEGORY_LT:
	case UTF8PROC_CATEGORY_LM:
	case UTF8PROC_CATEGORY_LO:
	case UTF8PROC_CATEGORY_MN:
	case UTF8PROC_CATEGORY_MC:
	case UTF8PROC_CATEGORY_ME:
	case UTF8PROC_CATEGORY_ND:
	case UTF8PROC_CATEGORY_NL:
	case UTF8PROC_CATEGORY_PC:
		return true;
	default:
		return false;
	}
}

static bool word_at(const struct search *f, size_t i)
{
	size_t used;

	return i < f->n && is_word(utf8_decode(f->s + i, f->n - i, &used));
}

static bool word_before(const struct search *f, size_t i)
{
	size_t from = i - 1, used;

	while (from > 0 && i - from < 4 && ((unsigned char)f->s[from] & 0xC0) == 0x80)
		from--;
	return is_word(utf8_decode(f->s + from, i - from, &used));
}

static size_t find(const struct search *f, char c, size_t from)
{
	const char *hit = from < f->n ? memchr(f->s + from, c, f->n - from) : NULL;

	return hit ? (size_t)(hit - f->s) : NONE;
}

static bool ends_later(const struct search *f, size_t i)
{
	return f->last_end != NONE && f->last_end > i;
}

/* At the value of src= or data=: "name", 'name', or a name up to a space or the end of the tag. */
static bool match_value(const struct search *f, size_t v, struct found *found)
{
	size_t to = v + 1;

	if (!ends_later(f, v) || f->s[v] == '>')
		return false;
	if ((f->s[v] == '"' || f->s[v] == '\'') && f->s[v + 1] != f->s[v]) {
		size_t close = find(f, f->s[v], v + 2);

		if (close != NONE && ends_later(f, close)) {
			*found = (struct found){ v + 1, close, find(f, '>', close) + 1 };
			return true;
		}
	}
	while (f->s[to] != '>' && f->s[to] != ' ')
		to++;
	*found = (struct found){ v, to, find(f, '>', to) + 1 };
	return true;
}

static bool match_source(const struct search *f, size_t i, struct found *found)
{
	const char *p = f->s + i, *end = f->s + f->n;
	size_t len = letters_match(p, end, "src=");

	if (!len)
		len = letters_match(p, end, "data=");
	return len && !word_before(f, i) && match_value(f, i + len, found);
}

static bool mark_dead(struct search *f, size_t i)
{
	uint8_t bit = (uint8_t)(1u << (i & 7));

	if (f->dead[i >> 3] & bit)
		return false;
	f->dead[i >> 3] |= bit;
	return true;
}

static void push_jump(struct search *f, size_t quote)
{
	if (quote == NONE)
		return;
	if (f->n_jumps == f->cap_jumps) {
		f->cap_jumps = f->cap_jumps ? 2 * f->cap_jumps : 16;
		f->jumps = xrealloc(f->jumps, f->cap_jumps * sizeof *f->jumps);
	}
	f->jumps[f->n_jumps++] = quote;
}

/*
 * Character by character from i to the next `>`. The quotes to jump from later are pushed: of each kind only the last
 * one, because a string that closes before the `>` leads to a position that this walk has tried.
 */
static bool walk(struct search *f, size_t i, bool tag_begin, struct found *found)
{
	size_t quote[2] = { NONE, NONE };

	for (; i < f->n; i++, tag_begin = false) {
		char c = f->s[i];

		if (!tag_begin) {
			if (!mark_dead(f, i))
				break;
			if (((c | 0x20) == 's' || (c | 0x20) == 'd' || c == '\xC5') && match_source(f, i, found))
				return true;
		}
		if (c == '>')
			break;
		if (c == '"' || c == '\'')
			quote[c == '"'] = i + 1 < f->n && f->s[i + 1] != c ? i : NONE;
	}
	if (quote[0] > quote[1]) {
		push_jump(f, quote[1]);
		push_jump(f, quote[0]);
	} else {
		push_jump(f, quote[0]);
		push_jump(f, quote[1]);
	}
	return false;
}

/* Behind the name of a media tag. */
static bool match_rest(struct search *f, size_t begin, struct found *found)
{
	if (!ends_later(f, begin))
		return false;
	if (!f->dead)
		f->dead = xcalloc(f->n / 8 + 1, 1);
	f->n_jumps = 0;
	if (walk(f, begin, true, found))
		return true;
	while (f->n_jumps) {
		size_t quote = f->jumps[--f->n_jumps], close = find(f, f->s[quote], quote + 2);

		if (close != NONE && walk(f, close + 1, false, found))
			return true;
	}
	return false;
}

/* At a `<`. */
static bool match_tag(struct search *f, size_t i, struct found *found)
{
	static const char *const names[] = { "img", "audio", "video", "object", "source" };

	for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
		size_t len = letters_match(f->s + i + 1, f->s + f->n, names[k]);

		if (len)
			return !word_at(f, i + 1 + len) && match_rest(f, i + 1 + len, found);
	}
	return false;
}

void media_tags_to_names(struct buf *text)
{
	char *s = text->data, *last;
	struct search f = { s, text->len, NONE };
	size_t from = 0, to = 0;

	if (!text->len || !(last = memrchr(s, '>', text->len)))
		return;
	f.last_end = (size_t)(last - s);
	/* A name with two spaces is shorter than its tag: what is written never reaches what is still to be read. */
	for (size_t i = find(&f, '<', 0); i != NONE;) {
		struct found found;
		size_t len;

		if (!match_tag(&f, i, &found)) {
			i = find(&f, '<', i + 1);
			continue;
		}
		memmove(s + to, s + from, i - from);
		to += i - from;
		len = found.name_end - found.name;
		s[to] = ' ';
		memmove(s + to + 1, s + found.name, len);
		s[to + 1 + len] = ' ';
		to += len + 2;
		from = found.end;
		i = find(&f, '<', from);
	}
	if (from) {
		memmove(s + to, s + from, f.n - from);
		buf_truncate(text, to + f.n - from);
	}
	free(f.dead);
	free(f.jumps);
}
