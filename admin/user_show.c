/* `user list` and `user show`, for people and as JSON. */
#include <inttypes.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "admin/print.h"
#include "admin/user.h"
#include "core/password.h"
#include "storage/home.h"

struct listing {
	struct buf out;
	bool json;
	size_t n;
};

static int list_one(void *context, const struct account *account, struct err *e)
{
	struct listing *l = context;
	char made[32];

	(void)e;
	if (l->json) {
		if (l->n)
			buf_putc(&l->out, ',');
		put_account(&l->out, account, NULL);
		buf_putc(&l->out, '}');
	} else {
		printf("%s  %s  %-9s  ", account->uid, local_time(account->created_s, made), state_name(account->state));
		print_name(slice_of(account->name));
		putchar('\n');
	}
	l->n++;
	return 0;
}

int user_list(struct admin *a, const struct args *args)
{
	struct listing l = { .out = BUF_INIT(BUF_UNBOUNDED), .json = args->json };
	struct err e = ERR_INIT;
	int rc = admin_open(a);

	if (rc != 0)
		return rc;
	if (l.json)
		buf_puts(&l.out, "[");
	if (accounts_list(a->server.accounts, list_one, &l, &e) != 0)
		rc = say_error(&e);
	else if (l.json)
		printf("%s]\n", buf_str(&l.out));
	else if (l.n == 0)
		note("there are no users yet; to add one: ankisync-admin user add NAME");
	buf_release(&l.out);
	return rc;
}

/* What show has to say about the home; gathered under the user's lock, printed after it. */
struct generation {
	int64_t number, bytes, changed_s;
};
enum { GENERATIONS_MAX = 64 };
struct facts {
	const struct account *account;
	char path[PATH_MAX];
	int64_t keys, legacy_keys, current;
	struct generation list[GENERATIONS_MAX];
	size_t n;
};

/* A file's size, 0 when it is not there; *changed_s is raised to its time. */
static int64_t file_bytes(const char *path, const char *end, int64_t *changed_s)
{
	char name[PATH_MAX + 8];
	struct stat st;

	snprintf(name, sizeof name, "%s%s", path, end);
	if (stat(name, &st) != 0)
		return 0;
	if (st.st_mtime > *changed_s)
		*changed_s = st.st_mtime;
	return st.st_size;
}

static int gather_locked(struct home *h, struct facts *f, struct err *e)
{
	int64_t numbers[GENERATIONS_MAX];

	if (home_key_count(h, &f->keys, e) != 0 || home_generation(h, &f->current, e) != 0 ||
	    home_generations(h, numbers, GENERATIONS_MAX, &f->n, e) != 0)
		return -1;
	if (f->n > GENERATIONS_MAX)
		f->n = GENERATIONS_MAX;
	for (size_t i = 0; i < f->n; i++) {
		struct generation *g = &f->list[i];
		char path[PATH_MAX];

		home_generation_path(h, numbers[i], path);
		*g = (struct generation){ .number = numbers[i] };
		g->bytes = file_bytes(path, "", &g->changed_s);
		g->bytes += file_bytes(path, "-wal", &g->changed_s);
	}
	return 0;
}

/* 0 or an exit code. */
static int gather(struct admin *a, struct facts *f)
{
	struct err e = ERR_INIT;
	struct home *h;
	int rc = homes_get(a->server.homes, slice_of(f->account->uid), &h, &e);

	if (rc == 0) {
		snprintf(f->path, sizeof f->path, "%s/users/%.2s/%s", a->config.sync_base, f->account->uid, f->account->uid);
		return fail_with(EX_DATAERR, "user \"%s\" has an account, but the folder %s is missing: put it back from a backup, or delete"
				 " the user: ankisync-admin user del %s", f->account->name, f->path, f->account->name);
	}
	if (rc < 0 || home_lock(h, &e) != 0)
		return say_error(&e);
	snprintf(f->path, sizeof f->path, "%s", home_path(h));
	rc = gather_locked(h, f, &e);
	home_unlock(h);
	if (rc != 0 || accounts_key_count(a->server.accounts, f->account->uid, &f->legacy_keys, &e) != 0)
		return say_error(&e);
	return 0;
}

static void print_facts(const struct facts *f)
{
	struct buf b = BUF_INIT(BUF_UNBOUNDED);

	put_account(&b, f->account, NULL);
	put_text(&b, "folder", f->path);
	put_flag(&b, "old_password_hash", password_hash_is_old(f->account->hash));
	put_number(&b, "keys", f->keys);
	put_number(&b, "keys_of_other_servers", f->legacy_keys);
	put_number(&b, "generation", f->current);
	json_put_key(&b, "generations");
	buf_puts(&b, "[");
	for (size_t i = 0; i < f->n; i++) {
		buf_puts(&b, i ? ",{" : "{");
		put_number(&b, "number", f->list[i].number);
		put_number(&b, "bytes", f->list[i].bytes);
		put_number(&b, "changed", f->list[i].changed_s);
		buf_puts(&b, "}");
	}
	buf_puts(&b, "]}");
	print_json(&b);
}

static void print_text(const struct facts *f)
{
	char time[32];

	printf("name         %s\n", f->account->name);
	printf("uid          %s\n", f->account->uid);
	printf("state        %s\n", state_name(f->account->state));
	printf("added        %s%s\n", local_time(f->account->created_s, time), f->account->has_origin ? ", from SYNC_USERn" : "");
	printf("folder       %s\n", f->path);
	if (f->account->limit_bytes)
		printf("quota        %.1f MB\n", (double)f->account->limit_bytes / 1e6);
	if (password_hash_is_old(f->account->hash))
		printf("password     hashed by another server; renewed at the next login\n");
	printf("keys         %" PRId64 "\n", f->keys);
	if (f->legacy_keys)
		printf("old keys     %" PRId64 ", of another server\n", f->legacy_keys);
	if (f->n == 0)
		printf("collection   none yet\n");
	for (size_t i = 0; i < f->n; i++)
		printf("%-12s generation %" PRId64 ", %.1f MB, changed %s\n", f->list[i].number == f->current ? "collection" : "kept",
		       f->list[i].number, (double)f->list[i].bytes / 1e6, local_time(f->list[i].changed_s, time));
}

int user_show(struct admin *a, const struct args *args)
{
	struct account account;
	struct facts f = { .account = &account };
	int rc = user_find(a, args->words[0], &account);

	if (rc == 0)
		rc = gather(a, &f);
	if (rc != 0)
		return rc;
	if (args->json)
		print_facts(&f);
	else
		print_text(&f);
	return 0;
}
