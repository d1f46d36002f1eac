/* See print.h. */
#include "admin/print.h"

#include <time.h>

#include "base/utf8.h"

void put_text(struct buf *b, const char *key, const char *value)
{
	json_put_key(b, key);
	json_put_str(b, slice_of(value));
}

void put_number(struct buf *b, const char *key, int64_t value)
{
	json_put_key(b, key);
	json_put_int(b, value);
}

void put_flag(struct buf *b, const char *key, bool value)
{
	json_put_key(b, key);
	json_put_bool(b, value);
}

const char *state_name(enum account_state state)
{
	static const char *const names[] = {
		[ACCOUNT_ENABLED] = "enabled", [ACCOUNT_DISABLED] = "disabled", [ACCOUNT_LEAVING] = "being deleted",
	};

	return names[state];
}

void put_account(struct buf *b, const struct account *account, const char *state)
{
	buf_putc(b, '{');
	put_text(b, "name", account->name);
	put_text(b, "uid", account->uid);
	put_text(b, "state", state ? state : state_name(account->state));
	put_number(b, "created", account->created_s);
	put_number(b, "limit_bytes", account->limit_bytes);
	put_flag(b, "from_environment", account->has_origin);
}

void print_json(struct buf *b)
{
	puts(buf_str(b));
	buf_release(b);
}

void print_name(struct slice name)
{
	for (size_t i = 0; i < name.len;) {
		size_t used = utf8_sequence(name.p + i, name.len - i);
		uint32_t c = used ? utf8_decode(name.p + i, name.len - i, &used) : 0;

		if (!used)
			used = 1;
		if (c < 0x20 || (c >= 0x7f && c < 0xa0))
			for (size_t k = 0; k < used; k++)
				printf("\\x%02x", (unsigned char)name.p[i + k]);
		else
			fwrite(name.p + i, 1, used, stdout);
		i += used;
	}
}

const char *local_time(int64_t unix_s, char text[32])
{
	time_t t = (time_t)unix_s;
	struct tm tm;

	if (!localtime_r(&t, &tm) || !strftime(text, 32, "%Y-%m-%d %H:%M:%S", &tm))
		snprintf(text, 32, "?");
	return text;
}
