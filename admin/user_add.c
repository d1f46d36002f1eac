/* `user add` and `user passwd`: everything that hashes a password which somebody typed or piped. */
#include <sysexits.h>

#include "admin/print.h"
#include "admin/secret.h"
#include "admin/user.h"
#include "core/password.h"
#include "core/users.h"

enum { FLAG_STDIN, FLAG_FILE, FLAG_RANDOM };
#define SECRET_FLAGS \
	[FLAG_STDIN] = { "--password-stdin", NULL, "read the password from standard input" }, \
	[FLAG_FILE] = { "--password-file", "FILE", "read the password from a file" }, \
	[FLAG_RANDOM] = { "--random", NULL, "make a password and print it" }, \
	{ NULL }
const struct flag user_add_flags[] = { SECRET_FLAGS };
const struct flag user_passwd_flags[] = { SECRET_FLAGS };

enum { BULK_MAX_BYTES = 64 << 20 };

/*
 * The password by way of the flags, in two steps: what comes from outside is read before admin_open (root may read files
 * that the owner of the data may not), the terminal is asked after it is known that the user is right.
 */
static int secret_early(const struct args *args, struct buf *password)
{
	struct err e = ERR_INIT;
	int rc = 0;

	if (!!args->flags[FLAG_STDIN] + !!args->flags[FLAG_FILE] + !!args->flags[FLAG_RANDOM] > 1)
		return fail_with(EX_USAGE, "only one of --password-stdin, --password-file and --random");
	if (args->flags[FLAG_STDIN])
		rc = secret_read(stdin, "standard input", password, &e);
	else if (args->flags[FLAG_FILE])
		rc = secret_read_file(args->flags[FLAG_FILE], password, &e);
	if (rc == 0)
		return 0;
	return e.kind == ERR_BAD_REQUEST ? say_error(&e) : fail_with(EX_NOINPUT, "%s", e.msg);
}

static int secret_late(const struct args *args, const char *name, struct buf *password)
{
	struct err e = ERR_INIT;

	if (password->len)
		return 0;
	if (args->flags[FLAG_RANDOM])
		secret_random(password);
	else if (secret_ask(name, password, &e) != 0)
		return e.kind == ERR_NOT_FOUND ? fail_with(EX_NOINPUT, "%s", e.msg) : say_error(&e);
	return 0;
}

static int user_exists(const char *name)
{
	return fail_with(EX_CANTCREAT, "user \"%s\" exists; to set a new password: ankisync-admin user passwd %s", name, name);
}

/* Only after all is done: a password that was printed works. */
static int print_done(struct admin *a, const struct args *args, const char *uid, const struct buf *password)
{
	if (args->flags[FLAG_RANDOM] && !args->json)
		printf("%s\n", buf_str(password));
	return print_changed(a, args, uid, args->flags[FLAG_RANDOM] ? buf_str(password) : NULL);
}

static int add_one(struct admin *a, const struct args *args)
{
	struct buf password = BUF_INIT(PASSWORD_MAX_BYTES + 4);
	struct account account = { .state = ACCOUNT_ENABLED };
	const char *name = args->words[0];
	struct err e = ERR_INIT;
	int rc;

	if (account_name_check(slice_of(name), &e) != 0)
		return say_error(&e);
	snprintf(account.name, sizeof account.name, "%s", name);
	rc = secret_early(args, &password);
	if (rc == 0)
		rc = admin_open(a);
	if (rc != 0)
		goto out;
	rc = accounts_find(a->server.accounts, slice_of(name), &account, &e);
	if (rc != 0) {
		rc = rc == 1 ? user_exists(name) : say_error(&e);
		goto out;
	}
	rc = secret_late(args, name, &password);
	if (rc != 0)
		goto out;
	if (password_hash(buf_slice(&password), account.hash, &e) != 0)
		rc = say_error(&e);
	else if (users_create(&a->server, &account, 1, &e) != 0)
		rc = e.kind == ERR_CONFLICT ? user_exists(name) : say_error(&e);
	else
		rc = print_done(a, args, account.uid, &password);
out:
	secret_wipe(&password);
	return rc;
}

struct bulk {
	struct account *list;
	struct slice *passwords; /* into the text */
	size_t n, cap;
};

/* One line of the list, without its end. 0 or an exit code. */
static int take_line(struct admin *a, struct bulk *b, struct slice line, size_t number)
{
	const char *colon = memchr(line.p, ':', line.len);
	struct account *account;
	struct slice name;
	struct err e = ERR_INIT;
	int found;

	if (!colon)
		return fail_with(EX_DATAERR, "line %zu: no colon between name and password", number);
	name = (struct slice){ line.p, (size_t)(colon - line.p) };
	if (b->n == b->cap) {
		b->cap += b->cap / 2 + 64;
		b->list = xrealloc(b->list, b->cap * sizeof *b->list);
		b->passwords = xrealloc(b->passwords, b->cap * sizeof *b->passwords);
	}
	b->passwords[b->n] = (struct slice){ colon + 1, line.len - name.len - 1 };
	if (account_name_check(name, &e) != 0 || secret_check(b->passwords[b->n], &e) != 0)
		return fail_with(EX_DATAERR, "line %zu: %s", number, e.msg);
	account = &b->list[b->n];
	found = accounts_find(a->server.accounts, name, account, &e);
	if (found < 0)
		return say_error(&e);
	if (found)
		return fail_with(EX_CANTCREAT, "line %zu: user \"%s\" exists", number, account->name);
	for (size_t i = 0; i < b->n; i++)
		if (slice_eq_str(name, b->list[i].name))
			return fail_with(EX_DATAERR, "line %zu: user \"%s\" is there twice", number, b->list[i].name);
	*account = (struct account){ .state = ACCOUNT_ENABLED };
	memcpy(account->name, name.p, name.len);
	b->n++;
	return 0;
}

/* All of them, so that every bad one is named: they can be mended together. */
static int take_lines(struct admin *a, struct bulk *b, struct slice text)
{
	size_t number = 0, bad = 0;
	int rc = 0;

	while (text.len) {
		const char *end = memchr(text.p, '\n', text.len);
		struct slice line = { text.p, end ? (size_t)(end - text.p) : text.len };
		size_t used = line.len + (end ? 1 : 0);

		number++;
		if (line.len && line.p[line.len - 1] == '\r')
			line.len--;
		if (line.len) {
			int code = take_line(a, b, line, number);

			bad += code != 0;
			rc = rc ? rc : code;
		}
		text.p += used;
		text.len -= used;
	}
	if (rc)
		return fail_with(rc, "%zu bad line%s; nobody was added", bad, bad == 1 ? "" : "s");
	if (b->n == 0)
		return fail_with(EX_DATAERR, "no lines NAME:PASSWORD on standard input; to add one user: ankisync-admin user add NAME");
	return 0;
}

static int read_all(struct buf *text)
{
	struct err e = ERR_INIT;
	size_t n = 0;
	char *room;

	setvbuf(stdin, NULL, _IONBF, 0);
	do {
		text->len += n;
		room = buf_room(text, 65536);
		if (!room)
			return fail_with(EX_DATAERR, "more than %zu bytes on standard input", text->max);
		n = fread(room, 1, 65536, stdin);
	} while (n);
	if (!ferror(stdin))
		return 0;
	err_errno(&e, "standard input");
	return fail_with(EX_IOERR, "%s", e.msg);
}

static void print_added(const struct args *args, const struct bulk *b)
{
	struct buf out = BUF_INIT(BUF_UNBOUNDED);

	if (!args->json) {
		printf("%zu users added\n", b->n);
		return;
	}
	buf_putc(&out, '[');
	for (size_t i = 0; i < b->n; i++) {
		if (i)
			buf_putc(&out, ',');
		put_account(&out, &b->list[i], NULL);
		buf_putc(&out, '}');
	}
	buf_putc(&out, ']');
	print_json(&out);
}

static int add_many(struct admin *a, const struct args *args)
{
	struct buf text = BUF_INIT(BULK_MAX_BYTES);
	struct bulk b = { NULL };
	struct err e = ERR_INIT;
	int rc = read_all(&text);

	if (rc == 0)
		rc = admin_open(a);
	if (rc == 0)
		rc = take_lines(a, &b, buf_slice(&text));
	for (size_t i = 0; i < b.n && rc == 0; i++)
		if (password_hash(b.passwords[i], b.list[i].hash, &e) != 0)
			rc = say_error(&e);
	if (rc == 0 && users_create(&a->server, b.list, b.n, &e) != 0)
		rc = say_error(&e);
	if (rc == 0)
		print_added(args, &b);
	free(b.list);
	free(b.passwords);
	secret_wipe(&text);
	return rc;
}

int user_add(struct admin *a, const struct args *args)
{
	if (args->n_words)
		return add_one(a, args);
	if (args->flags[FLAG_STDIN] || args->flags[FLAG_FILE] || args->flags[FLAG_RANDOM])
		return fail_with(EX_USAGE, "whose password? ankisync-admin user add NAME …");
	if (isatty(STDIN_FILENO))
		return fail_with(EX_USAGE, "user add takes a NAME, or lines NAME:PASSWORD on standard input");
	return add_many(a, args);
}

int user_passwd(struct admin *a, const struct args *args)
{
	struct buf password = BUF_INIT(PASSWORD_MAX_BYTES + 4);
	char hash[PASSWORD_HASH_SIZE];
	struct account account;
	struct err e = ERR_INIT;
	int rc = secret_early(args, &password);

	if (rc == 0)
		rc = user_find_staying(a, args->words[0], &account);
	if (rc == 0)
		rc = secret_late(args, account.name, &password);
	if (rc != 0)
		goto out;
	if (password_hash(buf_slice(&password), hash, &e) != 0 || users_set_hash(&a->server, account.uid, hash, NULL, &e) != 0) {
		rc = say_error(&e);
		goto out;
	}
	rc = print_done(a, args, account.uid, &password);
	if (account.has_origin)
		note("\"%s\" came from SYNC_USERn: the password there counts again only when it is changed there", account.name);
out:
	secret_wipe(&password);
	return rc;
}
