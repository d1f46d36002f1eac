/* The noun `media`: its table, what there is, and what nobody needs any more. */
#include "admin/media.h"

#include <inttypes.h>
#include <sysexits.h>

#include "admin/print.h"
#include "admin/user.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/json.h"

int media_home(struct admin *a, const char *user, struct home **h)
{
	struct account account;
	struct err e = ERR_INIT;
	int rc = user_find_staying(a, user, &account);

	if (rc != 0)
		return rc;
	rc = homes_get(a->server.homes, slice_of(account.uid), h, &e);
	if (rc < 0)
		return say_error(&e);
	if (rc == 0)
		return fail_with(EX_DATAERR, "user \"%s\" has an account, but no folder; see: ankisync-admin user show %s", user, user);
	return 0;
}

/* --- reading the index --- */

static int note_row(void *arg, const struct media_row *row, struct err *e)
{
	struct media_files *f = arg;
	struct media_file *file;

	(void)e;
	if (row->deleted)
		return 0;
	if (f->n == f->cap) {
		f->cap = f->cap ? f->cap * 2 : 256;
		f->list = xrealloc(f->list, f->cap * sizeof *f->list);
	}
	file = &f->list[f->n++];
	*file = (struct media_file){ xmalloc(row->name.len + 1), row->usn, row->changed_s, row->content, NULL };
	memcpy(file->name, row->name.p, row->name.len);
	file->name[row->name.len] = 0;
	if (row->data.p && f->with_data) {
		file->data = xmalloc(row->data.len);
		memcpy(file->data, row->data.p, row->data.len);
	}
	f->bytes += row->content.bytes;
	return 0;
}

int media_files_read(struct home *h, struct media_files *f)
{
	struct err e = ERR_INIT;
	struct media *m;
	int rc = -1;

	if (home_lock(h, &e) == 0) {
		rc = home_media(h, false, &m, &e);
		if (rc == 1)
			rc = media_each(m, INT64_MIN, note_row, f, &e);
	}
	home_unlock(h);
	return rc < 0 ? say_error(&e) : 0;
}

void media_files_release(struct media_files *f)
{
	for (size_t i = 0; i < f->n; i++) {
		free(f->list[i].name);
		free(f->list[i].data);
	}
	free(f->list);
	*f = (struct media_files){ 0 };
}

/* --- showing --- */

void progress_show(struct progress *p, int64_t done_bytes, int64_t all_bytes)
{
	enum { EVERY_MS = 200 };
	int64_t now_ms = clock_mono_ms();

	if (now_ms - p->shown_ms < EVERY_MS || !isatty(STDERR_FILENO))
		return;
	p->shown_ms = now_ms;
	p->on = true;
	fprintf(stderr, "\r%s: %.0f %%, %.0f MB\033[K", p->what, all_bytes ? 100.0 * (double)done_bytes / (double)all_bytes : 100.0,
		(double)done_bytes / 1e6);
}

void progress_end(struct progress *p)
{
	if (p->on)
		fputs("\r\033[K", stderr);
	p->on = false;
}

static void print_files(const struct media_files *f)
{
	struct buf b = BUF_INIT(BUF_UNBOUNDED);
	char hash[2 * SHA1_BYTES + 1];

	putchar('[');
	for (size_t i = 0; i < f->n; i++) {
		const struct media_file *file = &f->list[i];

		hex_of(file->content.sha1, SHA1_BYTES, hash);
		buf_reset(&b);
		buf_puts(&b, i ? ",\n{" : "{");
		put_text(&b, "name", file->name);
		put_number(&b, "bytes", file->content.bytes);
		put_text(&b, "sha1", hash);
		put_number(&b, "usn", file->usn);
		put_number(&b, "changed", file->changed_s);
		fputs(buf_str(&b), stdout);
		putchar('}');
	}
	puts("]");
	buf_release(&b);
}

static void print_text(const struct media_files *f)
{
	char hash[2 * SHA1_BYTES + 1];

	for (size_t i = 0; i < f->n; i++) {
		const struct media_file *file = &f->list[i];

		hex_of(file->content.sha1, SHA1_BYTES, hash);
		printf("%10" PRId64 "  %s  %8" PRId64 "  ", file->content.bytes, hash, file->usn);
		print_name(slice_of(file->name));
		putchar('\n');
	}
}

static int media_list(struct admin *a, const struct args *args)
{
	struct media_files f = { 0 };
	struct home *h;
	int rc = media_home(a, args->words[0], &h);

	if (rc == 0)
		rc = media_files_read(h, &f);
	if (rc != 0)
		return rc;
	if (args->json)
		print_files(&f);
	else
		print_text(&f);
	if (!args->json && f.n == 0)
		note("no device of \"%s\" has sent media files yet", args->words[0]);
	media_files_release(&f);
	return 0;
}

static int media_sweep_now(struct admin *a, const struct args *args)
{
	struct buf b = BUF_INIT(BUF_UNBOUNDED);
	struct media_swept swept = { 0 };
	struct err e = ERR_INIT;
	struct media *m;
	struct home *h;
	int rc = media_home(a, args->words[0], &h);

	if (rc != 0)
		return rc;
	rc = home_lock(h, &e);
	if (rc == 0)
		rc = home_media(h, false, &m, &e);
	if (rc == 1)
		rc = media_sweep(m, MEDIA_STRAY_S, &swept, &e);
	home_unlock(h);
	if (rc < 0)
		return say_error(&e);
	if (args->json) {
		buf_putc(&b, '{');
		put_number(&b, "removed", swept.files);
		put_number(&b, "removed_bytes", swept.bytes);
		put_number(&b, "kept", swept.kept);
		put_number(&b, "foreign", swept.foreign);
		buf_putc(&b, '}');
		print_json(&b);
		return 0;
	}
	printf("%" PRId64 " files removed, %.1f MB\n", swept.files, (double)swept.bytes / 1e6);
	if (swept.kept)
		printf("%" PRId64 " more that no device needs are younger than a day\n", swept.kept);
	if (swept.foreign)
		printf("%" PRId64 " files in media/ are not the server's; they were left alone\n", swept.foreign);
	return 0;
}

static int media_renumber_now(struct admin *a, const struct args *args)
{
	struct err e = ERR_INIT;
	struct media *m;
	struct home *h;
	int rc = media_home(a, args->words[0], &h);

	if (rc != 0)
		return rc;
	rc = home_lock(h, &e);
	if (rc == 0)
		rc = home_media(h, true, &m, &e) == 1 ? media_renumber(m, &e) : -1;
	home_unlock(h);
	if (rc < 0)
		return say_error(&e);
	if (args->json)
		puts("{\"renumbered\":true}");
	return 0;
}

const struct verb media_verbs[] = {
	{ "media", "list", "USER", 1, 1, WORDS_USERS, NULL, "List a user's media files: bytes, SHA-1, usn, name", media_list },
	{ "media", "export", "USER FOLDER", 2, 2, WORDS_USERS, NULL, "Copy a user's media files into a new folder, under their names",
	  media_export },
	{ "media", "check", "USER", 1, 1, WORDS_USERS, media_check_flags,
	  "Compare index, files and hashes; say what is wrong, or mend it", media_check },
	{ "media", "renumber", "USER", 1, 1, WORDS_USERS, NULL,
	  "Make every device compare all its files with the server's: after a backup was put back", media_renumber_now },
	{ "media", "sweep", "USER", 1, 1, WORDS_USERS, NULL, "Remove contents that no file needs any more (the server does it daily)",
	  media_sweep_now },
	{ NULL },
};
