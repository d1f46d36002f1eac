/* See config.h. The file is read by inih; what a key may hold is said by one table. */
#include "base/config.h"

#include <errno.h>
#include <ini.h>
#include <stddef.h>
#include <sys/stat.h>

#include "base/buf.h"

enum kind { NUMBER, BOOL, TEXT, WORD, FOLDER, LOG_TARGET };

struct key {
	const char *name;
	enum kind kind;
	size_t offset;
	const char *standard;
	int64_t lo, hi;    /* NUMBER */
	const char *words; /* WORD: the choices, between spaces */
};

#define AT(member) offsetof(struct config, member)

static const struct key keys[] = {
	{ "SYNC_BASE", FOLDER, AT(sync_base), LOCALSTATEDIR "/lib/ankisync" },
	{ "MAX_SYNC_PAYLOAD_MEGS", NUMBER, AT(max_payload_megs), "100", 1, 1000000 },
	{ "MEDIA_FILE_MEGS", NUMBER, AT(media_file_megs), "100", 1, 2000 },
	{ "KEEP_FREE_MEGS", NUMBER, AT(keep_free_megs), "256", 0, 1000000000 },
	{ "UPLOAD_SECONDS", NUMBER, AT(upload_seconds), "300", 10, 86400 },
	{ "LOCK_SECONDS", NUMBER, AT(lock_seconds), "20", 1, 25 },
	{ "WORKERS", NUMBER, AT(workers), "4", 1, 1024 },
	{ "KEPT_GENERATIONS", NUMBER, AT(kept_generations), "3", 0, 1000 },
	{ "ZSTD_LEVEL", NUMBER, AT(zstd_level), "3", -7, 19 },
	{ "SHARED", BOOL, AT(shared_storage), "no" },
	{ "JOURNAL", WORD, AT(journal), "wal", .words = " wal rollback " },
	{ "WEB_USERS", TEXT, AT(web_users), "" },
	{ "LOGIN_THROTTLE", BOOL, AT(login_throttle), "yes" },
	{ "LOG", LOG_TARGET, AT(log_target), "stderr" },
	{ "LOG_FORMAT", WORD, AT(log_format), "text", .words = " text json " },
	{ "LOG_LEVEL", WORD, AT(log_level), "info", .words = " error warn info debug " },
};

enum { KEYS = sizeof keys / sizeof *keys };

static const struct key *key_find(const char *name)
{
	for (size_t i = 0; i < KEYS; i++) {
		if (strcmp(keys[i].name, name) == 0)
			return &keys[i];
	}
	return NULL;
}

static int set_number(const struct key *k, int64_t *out, const char *value, struct err *e)
{
	char *end;
	long long v;

	errno = 0;
	v = strtoll(value, &end, 10);
	if (errno || end == value || *end || v < k->lo || v > k->hi)
		return err_set(e, ERR_BAD_REQUEST, "%s = %s: not a number from %lld to %lld", k->name, value,
			       (long long)k->lo, (long long)k->hi);
	*out = v;
	return 0;
}

static int set_bool(const struct key *k, bool *out, const char *value, struct err *e)
{
	static const char *const words[] = { "no", "yes", "false", "true", "off", "on", "0", "1" };

	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (strcasecmp(value, words[i]) == 0) {
			*out = i & 1;
			return 0;
		}
	}
	return err_set(e, ERR_BAD_REQUEST, "%s = %s: neither yes nor no", k->name, value);
}

static int set_text(const struct key *k, char **out, const char *value, struct err *e)
{
	char padded[64];

	switch (k->kind) {
	case TEXT:
		break;
	case WORD:
		snprintf(padded, sizeof padded, " %s ", value);
		if (strchr(value, ' ') || !strstr(k->words, padded))
			return err_set(e, ERR_BAD_REQUEST, "%s = %s: not one of%s", k->name, value, k->words);
		break;
	case FOLDER:
		if (value[0] != '/')
			return err_set(e, ERR_BAD_REQUEST, "%s = %s: not an absolute path", k->name, value);
		break;
	default:
		if (strcmp(value, "stderr") != 0 && strcmp(value, "syslog") != 0 && value[0] != '/')
			return err_set(e, ERR_BAD_REQUEST, "%s = %s: not stderr, syslog or an absolute path", k->name, value);
	}
	free(*out);
	*out = xstrdup(value);
	return 0;
}

static int set(struct config *c, const struct key *k, const char *value, struct err *e)
{
	void *at = (char *)c + k->offset;

	switch (k->kind) {
	case NUMBER:
		return set_number(k, at, value, e);
	case BOOL:
		return set_bool(k, at, value, e);
	default:
		return set_text(k, at, value, e);
	}
}

/* --- the file --- */

struct reading {
	struct config *config;
	FILE *file;
	int line;
	bool seen[KEYS];
	struct err err; /* the first one, without file and line */
	int err_line;
};

/* Remember the first complaint. */
static void complain(struct reading *r, const struct err *e)
{
	if (r->err.kind == ERR_NONE) {
		r->err = *e;
		r->err_line = r->line;
	}
}

/*
 * One line for inih, which would cut a long line in two, and would take an indented line for more of the value before.
 * It skips [sections] in silence, too.
 */
static char *read_line(char *text, int size, void *user)
{
	struct reading *r = user;
	struct err e;
	size_t blank, n;

	if (!fgets(text, size, r->file))
		return NULL;
	r->line++;
	n = strlen(text);
	if ((n == 0 || text[n - 1] != '\n') && !feof(r->file)) {
		err_set(&e, ERR_BAD_REQUEST, "a line of more than %d bytes, or a NUL", size - 2);
		complain(r, &e);
		return NULL;
	}
	blank = strspn(text, " \t");
	memmove(text, text + blank, n - blank + 1);
	if (text[0] == '[') {
		err_set(&e, ERR_BAD_REQUEST, "this file has no [sections]; remove the line");
		complain(r, &e);
	}
	return text;
}

static int set_in_file(struct reading *r, const char *name, const char *value, struct err *e)
{
	const struct key *k = key_find(name);

	if (!k && (strncmp(name, "SYNC_USER", 9) == 0 || strcmp(name, "PASSWORDS_HASHED") == 0))
		return err_set(e, ERR_BAD_REQUEST, "%s works in the environment only; users are kept with ankisync-admin", name);
	if (!k)
		return err_set(e, ERR_BAD_REQUEST, "unknown key %s; all keys: ankisync.conf(5)", name);
	if (r->seen[k - keys])
		return err_set(e, ERR_BAD_REQUEST, "%s is there twice; remove one", name);
	r->seen[k - keys] = true;
	return set(r->config, k, value, e);
}

static int on_pair(void *user, const char *section, const char *name, const char *value)
{
	struct reading *r = user;
	struct err e;

	(void)section;
	if (set_in_file(r, name, value, &e) == 0)
		return 1;
	complain(r, &e);
	return 0;
}

static int load_file(struct config *c, const char *path, bool must_exist, struct err *e)
{
	struct reading r = { .config = c, .err = ERR_INIT };
	struct stat st;
	int bad_line, rc = -1;

	r.file = fopen(path, "re");
	if (!r.file) {
		if (errno == ENOENT && !must_exist)
			return 0;
		return err_errno(e, "%s", path);
	}
	if (fstat(fileno(r.file), &st) != 0) {
		err_errno(e, "%s", path);
		goto out;
	}
	if (st.st_mode & S_IWOTH) {
		err_set(e, ERR_BAD_REQUEST, "%s may be written by everybody: chmod o-w it", path);
		goto out;
	}
	bad_line = ini_parse_stream(read_line, &r, on_pair, &r);
	if (ferror(r.file)) {
		err_errno(e, "%s", path);
		goto out;
	}
	if (r.err.kind != ERR_NONE && (bad_line <= 0 || r.err_line <= bad_line)) {
		err_set(e, ERR_BAD_REQUEST, "%s, line %d: %s", path, r.err_line, r.err.msg);
		goto out;
	}
	if (bad_line != 0) {
		err_set(e, ERR_BAD_REQUEST, "%s, line %d: not KEY = value", path, bad_line);
		goto out;
	}
	rc = 0;
out:
	fclose(r.file);
	return rc;
}

static int load_environment(struct config *c, struct err *e)
{
	for (size_t i = 0; i < KEYS; i++) {
		const char *value = getenv(keys[i].name);

		/* `KEY=` in a unit or compose file means "nothing said". */
		if (value && *value && set(c, &keys[i], value, e) != 0)
			return err_add(e, "environment");
	}
	return 0;
}

int config_load(struct config *c, const char *path, struct err *e)
{
	*c = (struct config){ 0 };
	for (size_t i = 0; i < KEYS; i++) {
		if (set(c, &keys[i], keys[i].standard, e) != 0)
			goto fail;
	}
	if (load_file(c, path ? path : SYSCONFDIR "/ankisync.conf", path != NULL, e) == 0 && load_environment(c, e) == 0)
		return 0;
fail:
	config_release(c);
	return -1;
}

void config_release(struct config *c)
{
	free(c->sync_base);
	free(c->journal);
	free(c->web_users);
	free(c->log_target);
	free(c->log_format);
	free(c->log_level);
	*c = (struct config){ 0 };
}

void config_print(const struct config *c, struct buf *out)
{
	for (size_t i = 0; i < KEYS; i++) {
		const void *at = (const char *)c + keys[i].offset;
		const char *text;

		switch (keys[i].kind) {
		case NUMBER:
			buf_printf(out, "%s = %lld\n", keys[i].name, (long long)*(const int64_t *)at);
			break;
		case BOOL:
			buf_printf(out, "%s = %s\n", keys[i].name, *(const bool *)at ? "yes" : "no");
			break;
		default:
			text = *(char *const *)at;
			buf_printf(out, "%s =%s%s\n", keys[i].name, *text ? " " : "", text);
		}
	}
}
