/* `media check`: what is wrong, in words. */
#include <inttypes.h>
#include <sysexits.h>

#include "admin/media.h"
#include "admin/print.h"
#include "core/media_check.h"

enum { CHECK_REPAIR };
const struct flag media_check_flags[] = {
	[CHECK_REPAIR] = { "--repair", NULL, "mend it: devices send again what is lost here" },
	{ NULL },
};

static const struct {
	const char *word, *says, *mended;
} texts[] = {
	[MEDIA_INDEX_DAMAGED] = { "index", "the index media.db is damaged", "put aside; devices will send all files again" },
	[MEDIA_COUNTS_WRONG] = { "counts", "the index has miscounted its files", "counted anew" },
	[MEDIA_MISSING] = { "missing", "missing", "forgotten; a device that has it will send it again" },
	[MEDIA_DAMAGED] = { "damaged", "damaged", "put aside and forgotten; a device that has it will send it again" },
	[MEDIA_CHECKSUM] = { "checksum", "its checksum in the index is wrong", "corrected" },
};

struct report {
	struct progress progress;
	bool repair, json;
	struct buf findings; /* as JSON */
};

static void print_finding(void *arg, enum media_finding_kind kind, struct slice name)
{
	struct report *r = arg;

	progress_end(&r->progress);
	if (r->json) {
		buf_puts(&r->findings, r->findings.len ? ",{" : "{");
		put_text(&r->findings, "kind", texts[kind].word);
		json_put_key(&r->findings, "name");
		json_put_str(&r->findings, name);
		buf_putc(&r->findings, '}');
		return;
	}
	printf("%s%s", texts[kind].says, name.len ? ": " : "");
	print_name(name);
	if (r->repair)
		printf(" (%s)", texts[kind].mended);
	putchar('\n');
}

static void print_progress(void *arg, int64_t done_bytes, int64_t all_bytes)
{
	progress_show(&((struct report *)arg)->progress, done_bytes, all_bytes);
}

static void print_sum(const struct media_check *c, struct report *r)
{
	struct buf b = BUF_INIT(BUF_UNBOUNDED);

	buf_putc(&b, '{');
	put_number(&b, "files", c->files);
	put_number(&b, "bytes", c->bytes);
	buf_printf(&b, ",\"findings\":[%s]", buf_str(&r->findings));
	put_flag(&b, "mended", r->repair);
	put_number(&b, "strays", c->strays);
	put_number(&b, "foreign", c->foreign);
	buf_putc(&b, '}');
	print_json(&b);
	buf_release(&r->findings);
}

static void say_sum(const struct media_check *c, const struct report *r, const char *user, const char *path)
{
	printf("%" PRId64 " files, %.1f MB: ", c->files, (double)c->bytes / 1e6);
	if (c->findings == 0)
		puts("all is well");
	else
		printf("%" PRId64 " %s\n", c->findings, r->repair ? "mended" : "findings");
	if (c->strays)
		printf("%" PRId64 " contents that no file needs will be swept; at once: ankisync-admin media sweep %s\n", c->strays,
		       user);
	if (c->foreign)
		printf("%" PRId64 " files in %s/media are not the server's\n", c->foreign, path);
}

int media_check(struct admin *a, const struct args *args)
{
	struct report r = { .progress.what = "checking", .repair = args->flags[CHECK_REPAIR] != NULL,
			    .json = args->json, .findings = BUF_INIT(BUF_UNBOUNDED) };
	struct media_check c = { .repair = r.repair, .found = print_finding, .progress = print_progress, .arg = &r };
	struct err e = ERR_INIT;
	struct home *h;
	int rc = media_home(a, args->words[0], &h);

	if (rc != 0)
		return rc;
	rc = media_check_run(h, &c, &e);
	progress_end(&r.progress);
	if (rc != 0) {
		buf_release(&r.findings);
		return say_error(&e);
	}
	if (r.json)
		print_sum(&c, &r);
	else
		say_sum(&c, &r, args->words[0], home_path(h));
	if (c.findings == 0 || r.repair)
		return 0;
	fflush(stdout);
	return fail_with(EX_DATAERR, "to mend it: ankisync-admin media check --repair %s", args->words[0]);
}
