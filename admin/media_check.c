/* `media check`: what is wrong, in words. */
#include <inttypes.h>
#include <sysexits.h>

#include "admin/media.h"
#include "core/media_check.h"

enum { CHECK_REPAIR };
const struct flag media_check_flags[] = {
	[CHECK_REPAIR] = { "--repair", NULL, "mend it: devices send again what is lost here" },
	{ NULL },
};

static const struct {
	const char *says, *mended;
} texts[] = {
	[MEDIA_INDEX_DAMAGED] = { "the index media.db is damaged", "put aside; devices will send all files again" },
	[MEDIA_COUNTS_WRONG] = { "the index has miscounted its files", "counted anew" },
	[MEDIA_MISSING] = { "missing", "forgotten; a device that has it will send it again" },
	[MEDIA_DAMAGED] = { "damaged", "put aside and forgotten; a device that has it will send it again" },
	[MEDIA_CHECKSUM] = { "its checksum in the index is wrong", "corrected" },
};

struct report {
	struct progress progress;
	bool repair;
};

static void print_finding(void *arg, enum media_finding_kind kind, struct slice name)
{
	struct report *r = arg;

	progress_end(&r->progress);
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

int media_check(struct admin *a, const struct args *args)
{
	struct report r = { .progress.what = "checking", .repair = args->flags[CHECK_REPAIR] != NULL };
	struct media_check c = { .repair = r.repair, .found = print_finding, .progress = print_progress, .arg = &r };
	struct err e = ERR_INIT;
	struct home *h;
	int rc = media_home(a, args->words[0], &h);

	if (rc != 0)
		return rc;
	rc = media_check_run(h, &c, &e);
	progress_end(&r.progress);
	if (rc != 0)
		return say_error(&e);
	printf("%" PRId64 " files, %.1f MB: ", c.files, (double)c.bytes / 1e6);
	if (c.findings == 0)
		puts("all is well");
	else
		printf("%" PRId64 " %s\n", c.findings, r.repair ? "mended" : "findings");
	if (c.strays)
		printf("%" PRId64 " contents that no file needs will be swept; at once: ankisync-admin media sweep %s\n", c.strays,
		       args->words[0]);
	if (c.foreign)
		printf("%" PRId64 " files in %s/media are not the server's\n", c.foreign, home_path(h));
	if (c.findings == 0 || r.repair)
		return 0;
	fflush(stdout);
	return fail_with(EX_DATAERR, "to mend it: ankisync-admin media check --repair %s", args->words[0]);
}
