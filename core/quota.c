/* See quota.h. */
#include "core/quota.h"

#include <inttypes.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "storage/accounts.h"
#include "storage/home.h"
#include "storage/media.h"

/* "12.3 MB", as clients and file managers count. */
static const char *size_text(int64_t bytes, char text[32])
{
	static const char *const units[] = { "kB", "MB", "GB", "TB" };
	double v = (double)bytes / 1000;
	size_t u = 0;

	for (; v >= 999.95 && u < 3; u++)
		v /= 1000;
	snprintf(text, 32, "%.1f %s", v, units[u]);
	return text;
}

static int load_limit(struct server *s, struct home *h, struct quota *q, struct err *e)
{
	struct account account;
	int rc = accounts_find_uid(s->accounts, slice_of(home_uid(h)), &account, e);

	*q = (struct quota){ .limit_bytes = rc == 1 ? account.limit_bytes : 0 };
	return rc < 0 ? -1 : 0;
}

int quota_load(struct server *s, struct home *h, struct quota *q, struct err *e)
{
	char path[PATH_MAX];
	int64_t generation;
	struct stat st;

	if (load_limit(s, h, q, e) != 0)
		return -1;
	if (q->limit_bytes <= 0)
		return 0;
	if (home_generation(h, &generation, e) != 0)
		return -1;
	if (generation == 0)
		return 0;
	home_generation_path(h, generation, path);
	/* stat() by path is harmless to SQLite's locks. */
	if (stat(path, &st) == 0)
		q->collection_bytes = st.st_size;
	return 0;
}

int quota_check_media(const struct quota *q, int64_t before, int64_t after, struct err *e)
{
	char sum[32], limit[32];

	if (q->limit_bytes <= 0 || after <= before || q->collection_bytes + after <= q->limit_bytes)
		return 0;
	return err_set(e, ERR_REFUSED,
		       "These media files do not fit: your account on this server may hold %s, and would hold %s. Delete some"
		       " that you do not need (Tools, Check Media), or ask its administrator.",
		       size_text(q->limit_bytes, limit), size_text(q->collection_bytes + after, sum));
}

int quota_check_disk(struct server *s, struct home *h, uint64_t bytes, struct err *e)
{
	uint64_t reserve = (uint64_t)s->config->keep_free_megs << 20, available;
	struct statvfs fs;

	if (statvfs(home_path(h), &fs) != 0)
		return err_errno(e, "%s", home_path(h));
	available = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (available < bytes || available - bytes < reserve)
		return err_set(e, ERR_FULL, "%s: %" PRIu64 " MiB are free, %" PRIu64 " must stay so (KEEP_FREE_MEGS)", home_path(h),
			       available >> 20, reserve >> 20);
	return 0;
}

int quota_notice(struct server *s, struct home *h, struct buf *html, struct err *e)
{
	struct media_totals t = { 0 };
	char sum[32], limit[32];
	struct quota q;
	struct media *m;
	int rc;

	if (quota_load(s, h, &q, e) != 0)
		return -1;
	if (q.limit_bytes <= 0)
		return 0;
	/* Trouble with the index is not to be told here. */
	rc = home_media(h, false, &m, NULL);
	if (rc < 0 || (rc == 1 && media_totals(m, &t, NULL) != 0))
		return 0;
	if (q.collection_bytes + t.bytes >= q.limit_bytes)
		buf_printf(html, "Your account on this server is full: it holds %s of %s. New media files are not accepted.",
			   size_text(q.collection_bytes + t.bytes, sum), size_text(q.limit_bytes, limit));
	else if (q.collection_bytes + t.bytes >= q.limit_bytes / 10 * 9)
		buf_printf(html, "Your account on this server is nearly full: it holds %s of %s.",
			   size_text(q.collection_bytes + t.bytes, sum), size_text(q.limit_bytes, limit));
	return 0;
}
