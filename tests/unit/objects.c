/* See objects.h. */
#include "tests/unit/objects.h"

static const char *name_of(struct json_object *c)
{
	return vectors_str(c, "case").p;
}

struct json_object *objects_input(struct json_object *c)
{
	struct json_object *o;
	struct err e = ERR_INIT;

	if (json_parse(vectors_str(c, "in"), &JSON_LIMITS_PAYLOAD, &o, &e) != 0)
		fail_msg("%s: %s", name_of(c), e.msg);
	return o;
}

bool objects_accepted(struct json_object *c)
{
	return vectors_int(c, "status") == 200;
}

bool objects_varies(struct json_object *c)
{
	struct json_object *v;

	return json_has(c, "other_order_varies", &v);
}

void objects_unhex(struct slice hex, struct buf *out)
{
	buf_reset(out);
	for (size_t i = 0; i + 1 < hex.len; i += 2) {
		char pair[3] = { hex.p[i], hex.p[i + 1], 0 };

		buf_putc(out, (char)strtoul(pair, NULL, 16));
	}
}

static void show_bytes(const char *label, const char *p, size_t n)
{
	print_error("%s", label);
	for (size_t i = 0; i < n; i++)
		print_error("%02x", (unsigned char)p[i]);
	print_error("\n");
}

/* Where field 255 begins; its JSON is what follows tag and length. It is the last field of all our blobs. */
static size_t other_at(const struct buf *b, struct slice *json)
{
	for (size_t i = 0; i + 2 < b->len; i++) {
		size_t from = i + 2, n = 0;
		unsigned shift = 0;

		if (memcmp(b->data + i, "\xfa\x0f", 2) != 0)
			continue;
		do
			n |= (size_t)(b->data[from] & 127) << shift, shift += 7;
		while (b->data[from++] & 128);
		if (from + n == b->len) {
			*json = (struct slice){ b->data + from, n };
			return i;
		}
	}
	*json = (struct slice){ NULL, 0 };
	return b->len;
}

static bool same_value(struct json_object *a, struct json_object *b)
{
	struct buf x = BUF_INIT(BUF_UNBOUNDED), y = BUF_INIT(BUF_UNBOUNDED);
	bool same;

	json_put_value(&x, a);
	json_put_value(&y, b);
	same = slice_eq(buf_slice(&x), buf_slice(&y));
	buf_release(&x);
	buf_release(&y);
	return same;
}

static bool same_json(struct slice a, struct slice b)
{
	struct json_object *x, *y;
	bool same = json_parse(a, &JSON_LIMITS_PAYLOAD, &x, NULL) == 0;

	same = json_parse(b, &JSON_LIMITS_PAYLOAD, &y, NULL) == 0 && same && same_value(x, y);
	json_object_put(x);
	json_object_put(y);
	return same;
}

void objects_same_blob(struct json_object *c, const struct buf *got, struct json_object *want_hex)
{
	struct buf want = BUF_INIT(BUF_UNBOUNDED);
	struct slice a, b;
	bool same;

	objects_unhex(vectors_slice(want_hex), &want);
	same = slice_eq(buf_slice(got), buf_slice(&want));
	if (!same && objects_varies(c)) {
		size_t n = other_at(got, &a);

		same = n == other_at(&want, &b) && memcmp(got->data, want.data, n) == 0 && same_json(a, b);
	}
	if (!same) {
		show_bytes("got  ", got->data, got->len);
		show_bytes("want ", want.data, want.len);
		fail_msg("%s", name_of(c));
	}
	buf_release(&want);
}

/* The same members in the same order, except that two neighbours may be swapped: no case has more unknown keys. */
static bool same_order(struct slice a, struct slice b)
{
	struct json_object *x, *y;
	const char *swapped = NULL;
	bool same = true;

	assert_int_equal(json_parse(a, &JSON_LIMITS_PAYLOAD, &x, NULL), 0);
	assert_int_equal(json_parse(b, &JSON_LIMITS_PAYLOAD, &y, NULL), 0);
	struct json_object_iterator i = json_object_iter_begin(x), j = json_object_iter_begin(y), end = json_object_iter_end(x);

	while (!json_object_iter_equal(&i, &end)) {
		const char *p = json_object_iter_peek_name(&i), *q = json_object_iter_peek_name(&j);

		if (strcmp(p, q) == 0)
			same = same && !swapped;
		else if (!swapped)
			swapped = q;
		else
			same = same && strcmp(swapped, p) == 0, swapped = NULL;
		json_object_iter_next(&i);
		json_object_iter_next(&j);
	}
	json_object_put(x);
	json_object_put(y);
	return same && !swapped;
}

void objects_same_out(struct json_object *c, const struct buf *got)
{
	struct slice want = vectors_str(c, "out"), have = buf_slice(got);

	if (slice_eq(have, want))
		return;
	if (objects_varies(c) && same_json(have, want) && same_order(have, want))
		return;
	fail_msg("%s: printed\n%.*s\nwant\n%.*s", name_of(c), (int)have.len, have.p, (int)want.len, want.p);
}

void objects_same_int(struct json_object *c, int64_t got, struct json_object *want)
{
	int64_t n;

	if (!json_is_int(want, INT64_MIN, INT64_MAX, &n) || n != got)
		fail_msg("%s: %lld, want %s", name_of(c), (long long)got, json_object_to_json_string(want));
}

void objects_same_text(struct json_object *c, const struct buf *got, struct json_object *want)
{
	vectors_same(c, buf_slice(got), vectors_slice(want));
}

static uint64_t random_state;

/* The same numbers in every run (xorshift). */
static uint32_t random_below(size_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state % n);
}

static void damage_once(struct buf *b)
{
	size_t at = random_below(b->len), n = random_below(8);

	switch (random_below(4)) {
	case 0:
		b->data[at] ^= (char)(1 << n);
		break;
	case 1:
		b->data[at] = (char)random_below(256);
		break;
	case 2:
		for (size_t i = at; i < b->len && i < at + n; i++)
			b->data[i] = (char)random_below(256);
		break;
	case 3:
		if (n > b->len - at)
			n = b->len - at;
		memmove(b->data + random_below(b->len - n + 1), b->data + at, n);
		break;
	}
}

void objects_damage(struct buf *blob, void (*try)(void *ctx), void *ctx)
{
	struct buf whole = BUF_INIT(BUF_UNBOUNDED);

	buf_set(&whole, blob->data, blob->len);
	for (size_t n = 0; n < whole.len; n++) {
		buf_set(blob, whole.data, n);
		try(ctx);
	}
	random_state = 88172645463325252u;
	for (int round = 0; whole.len && round < 300; round++) {
		buf_set(blob, whole.data, whole.len);
		if (round % 10 == 0) {
			buf_truncate(blob, random_below(whole.len));
			for (size_t i = 0; i < blob->len; i++)
				blob->data[i] = (char)random_below(256);
		} else {
			for (uint32_t i = 0; i <= random_below(3); i++)
				damage_once(blob);
		}
		try(ctx);
	}
	buf_set(blob, whole.data, whole.len);
	buf_release(&whole);
}

void objects_is_json(const struct buf *b)
{
	struct json_object *o;
	struct err e = ERR_INIT;

	if (json_parse_object(buf_slice(b), &JSON_LIMITS_PAYLOAD, &o, &e) != 0)
		fail_msg("printed, but %s: %s", e.msg, buf_str(b));
	json_object_put(o);
}

static void read_twice(struct json_object *root, objects_read_fn *read)
{
	struct buf once = BUF_INIT(BUF_UNBOUNDED), twice = BUF_INIT(BUF_UNBOUNDED);
	struct json_object *again;

	if (read(root, &once) == 0) {
		objects_is_json(&once);
		assert_int_equal(json_parse(buf_slice(&once), &JSON_LIMITS_PAYLOAD, &again, NULL), 0);
		if (read(again, &twice) != 0)
			fail_msg("refused: %s", buf_str(&once));
		assert_string_equal(buf_str(&twice), buf_str(&once));
		json_object_put(again);
	}
	buf_release(&once);
	buf_release(&twice);
}

static struct json_object *parse_value(const char *text)
{
	struct json_object *v;

	assert_int_equal(json_parse(slice_of(text), &JSON_LIMITS_PAYLOAD, &v, NULL), 0);
	return v;
}

static void vary(struct json_object *root, struct json_object *node, objects_read_fn *read)
{
	static const char *const values[] = {
		"null", "true", "false", "0", "1", "-1", "2", "255", "256", "65535", "65536", "2147483647", "2147483648", "-2147483648",
		"4294967295", "4294967296", "9223372036854775807", "18446744073709551615", "-9223372036854775808", "0.0", "1.0", "0.5",
		"1e39", "-1e39", "1e300", "1e-50", "\"\"", "\"1\"", "\"x\"", "\"a\\u0000b\"", "[]", "[1,2]", "[1,2,3]", "[null]", "[[]]",
		"[1e39]", "[\"a\",1,2]", "[[\"a\",1,2]]", "[[0,\"any\",[1]]]", "{}", "[{}]", "{\"limit\":1,\"today\":2}",
		"{\"limit\":1,\"limit\":1,\"today\":2}", "{\"x\":{\"y\":1}}",
	};
	const char *names[64];
	size_t n = 0;

	if (json_object_is_type(node, json_type_array) && json_object_array_length(node))
		vary(root, json_at(node, json_object_array_length(node) - 1), read);
	if (!json_is_object(node))
		return;
	json_object_object_foreach(node, key, unused)
	{
		(void)unused;
		assert_true(n < sizeof names / sizeof *names);
		names[n++] = xstrdup(key);
	}
	for (size_t i = 0; i < n; i++) {
		struct json_object *kept = json_object_get(json_object_object_get(node, names[i]));

		vary(root, kept, read);
		for (size_t k = 0; k < sizeof values / sizeof *values; k++) {
			json_object_object_add(node, names[i], parse_value(values[k]));
			read_twice(root, read);
		}
		json_object_object_del(node, names[i]);
		read_twice(root, read);
		json_object_object_add(node, names[i], kept);
		free((char *)names[i]);
	}
}

void objects_vary(struct json_object *root, objects_read_fn *read)
{
	vary(root, root, read);
}
