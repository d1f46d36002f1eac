/*
 * See throttle.h. The file is a header and a table of entries in sets of eight, found by a keyed hash: nothing grows, and
 * one try reads and writes a few hundred bytes under a flock. An entry holds the time at which its last failure will be
 * forgotten if one is forgotten per interval; how far that lies ahead is how many failures count. A full set loses the
 * entry that would be forgotten first. With at most two passwords hashed at a time a flood of names cannot fill the table
 * within the minute that one failure lives.
 */
#include "core/throttle.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/stream.h"

struct entry {
	uint64_t tag; /* 0: free */
	int64_t until_ms;
};

struct header {
	char magic[8];
	uint64_t secret;
};

enum { SET_ENTRIES = 8, SETS = 2048, SET_BYTES = SET_ENTRIES * sizeof(struct entry), FILE_BYTES = SET_BYTES * (SETS + 1) };
static_assert(sizeof(struct header) <= SET_BYTES, "the header has the place of a set");
static const char magic[8] = "throttl1";

struct rule {
	char kind;
	int64_t interval_ms; /* one failure is forgotten in this time */
	int64_t burst;
};
static const struct rule per_pair = { 'p', 60000, 10 }, per_address = { 'a', 6000, 100 }, per_wait = { 'w', 10000, 100 };

static int lock(struct throttle *t, struct err *e)
{
	while (flock(t->fd, LOCK_EX) != 0)
		if (errno != EINTR)
			return err_errno(e, "throttle: lock");
	return 0;
}

static int read_at(struct throttle *t, void *p, size_t n, off_t at, struct err *e)
{
	int rc = fd_read_at(t->fd, p, n, (uint64_t)at);

	if (rc == 0)
		return err_set(e, ERR_DAMAGED, "throttle: cut short");
	return rc < 0 ? err_errno(e, "throttle: read") : 0;
}

static int write_at(struct throttle *t, const void *p, size_t n, off_t at, struct err *e)
{
	return fd_write_at(t->fd, p, n, (uint64_t)at) != 0 ? err_errno(e, "throttle: write") : 0;
}

int throttle_open(struct throttle *t, const char *base, struct err *e)
{
	struct header h = { { 0 } };
	char path[4096];
	struct stat st;

	snprintf(path, sizeof path, "%s/throttle", base);
	t->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (t->fd < 0)
		return err_errno(e, "%s", path);
	if (lock(t, e) != 0)
		goto fail;
	if (fstat(t->fd, &st) != 0) {
		err_errno(e, "%s", path);
		goto fail;
	}
	if (st.st_size == FILE_BYTES && read_at(t, &h, sizeof h, 0, e) != 0)
		goto fail;
	if (memcmp(h.magic, magic, sizeof magic) != 0) {
		memcpy(h.magic, magic, sizeof magic);
		random_bytes(&h.secret, sizeof h.secret);
		if (ftruncate(t->fd, 0) != 0 || ftruncate(t->fd, FILE_BYTES) != 0) {
			err_errno(e, "%s", path);
			goto fail;
		}
		if (write_at(t, &h, sizeof h, 0, e) != 0)
			goto fail;
	}
	flock(t->fd, LOCK_UN);
	t->secret = h.secret;
	return 0;
fail:
	throttle_close(t);
	return -1;
}

void throttle_close(struct throttle *t)
{
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
}

/* The address as what is counted: "4" and 4 bytes, "6" and the first 8, or "?" and the text. */
static void put_address(struct buf *b, struct slice address)
{
	char text[INET6_ADDRSTRLEN];
	uint8_t ip[16];

	if (address.len < sizeof text) {
		static const uint8_t mapped[12] = { [10] = 0xFF, [11] = 0xFF };

		memcpy(text, address.len ? address.p : "", address.len);
		text[address.len] = 0;
		if (inet_pton(AF_INET, text, ip) == 1) {
			buf_putc(b, '4');
			buf_put(b, ip, 4);
			return;
		}
		if (inet_pton(AF_INET6, text, ip) == 1) {
			bool v4 = memcmp(ip, mapped, sizeof mapped) == 0;

			buf_putc(b, v4 ? '4' : '6');
			buf_put(b, v4 ? ip + 12 : ip, v4 ? 4 : 8);
			return;
		}
	}
	buf_putc(b, '?');
	buf_put(b, address.p, address.len);
	buf_putc(b, 0);
}

static uint64_t tag_of(const struct throttle *t, const struct rule *rule, struct slice address, struct slice account)
{
	struct buf b = BUF_INIT(BUF_UNBOUNDED);
	uint8_t digest[SHA256_BYTES];
	uint64_t tag;

	buf_put(&b, &t->secret, sizeof t->secret);
	buf_putc(&b, rule->kind);
	put_address(&b, address);
	buf_put(&b, account.p, account.len);
	sha256(buf_slice(&b), digest);
	buf_release(&b);
	memcpy(&tag, digest, sizeof tag);
	return tag ? tag : 1;
}

static off_t set_at(uint64_t tag)
{
	return (off_t)(1 + tag % SETS) * SET_BYTES;
}

/* The file's entry for this tag, in the set; NULL when there is none. */
static struct entry *find(struct entry *set, uint64_t tag)
{
	for (int i = 0; i < SET_ENTRIES; i++)
		if (set[i].tag == tag)
			return &set[i];
	return NULL;
}

static int write_entry(struct throttle *t, const struct entry *set, const struct entry *entry, off_t at, struct err *e)
{
	return write_at(t, entry, sizeof *entry, at + (off_t)(entry - set) * (off_t)sizeof *entry, e);
}

/* How far ahead does the last failure lie when it will be forgotten? */
static int look(struct throttle *t, const struct rule *rule, uint64_t tag, int64_t now_ms, int64_t *ahead, struct err *e)
{
	int64_t most = rule->interval_ms * rule->burst;
	struct entry set[SET_ENTRIES], *entry;

	*ahead = 0;
	if (read_at(t, set, sizeof set, set_at(tag), e) != 0)
		return -1;
	entry = find(set, tag);
	if (!entry || entry->until_ms <= now_ms)
		return 0;
	*ahead = entry->until_ms - now_ms;
	if (*ahead <= most)
		return 0;
	/* The clock was set back: as if all of it had happened just now. */
	*ahead = most;
	entry->until_ms = now_ms + most;
	return write_entry(t, set, entry, set_at(tag), e);
}

/* Change what counts by so many failures. */
static int add(struct throttle *t, const struct rule *rule, uint64_t tag, int64_t now_ms, int64_t failures, struct err *e)
{
	struct entry set[SET_ENTRIES], *entry;
	int64_t ahead;

	if (look(t, rule, tag, now_ms, &ahead, e) != 0 || read_at(t, set, sizeof set, set_at(tag), e) != 0)
		return -1;
	ahead += failures * rule->interval_ms;
	entry = find(set, tag);
	if (!entry && ahead <= 0)
		return 0;
	if (!entry) {
		entry = &set[0];
		for (int i = 1; i < SET_ENTRIES; i++)
			if (set[i].until_ms < entry->until_ms)
				entry = &set[i];
	}
	*entry = ahead > 0 ? (struct entry){ tag, now_ms + ahead } : (struct entry){ 0, 0 };
	return write_entry(t, set, entry, set_at(tag), e);
}

/* Has it used up its failures? */
static bool spent(const struct rule *rule, int64_t ahead)
{
	return ahead > rule->interval_ms * (rule->burst - 1);
}

int throttle_try(struct throttle *t, struct slice address, struct slice account, struct err *e)
{
	uint64_t pair = tag_of(t, &per_pair, address, account), whole = tag_of(t, &per_address, address, SLICE(""));
	int64_t now_ms = clock_now_ms(), pair_ahead, whole_ahead;
	int rc = -1;

	if (lock(t, e) != 0)
		return -1;
	if (look(t, &per_pair, pair, now_ms, &pair_ahead, e) != 0 || look(t, &per_address, whole, now_ms, &whole_ahead, e) != 0)
		goto out;
	t->counted = !spent(&per_address, whole_ahead);
	if (spent(&per_pair, pair_ahead) || (!t->counted && pair_ahead > 0))
		rc = THROTTLE_SLOWED;
	else if (add(t, &per_pair, pair, now_ms, 1, e) == 0 &&
		 (!t->counted || add(t, &per_address, whole, now_ms, 1, e) == 0))
		rc = t->counted ? THROTTLE_PASS : THROTTLE_CROWD;
out:
	flock(t->fd, LOCK_UN);
	return rc;
}

static int take_back(struct throttle *t, struct slice address, struct slice account, int64_t pair_failures, struct err *e)
{
	uint64_t pair = tag_of(t, &per_pair, address, account), whole = tag_of(t, &per_address, address, SLICE(""));
	int64_t now_ms = clock_now_ms();
	int rc = -1;

	if (lock(t, e) != 0)
		return -1;
	if (add(t, &per_pair, pair, now_ms, -pair_failures, e) == 0 &&
	    (!t->counted || add(t, &per_address, whole, now_ms, -1, e) == 0))
		rc = 0;
	flock(t->fd, LOCK_UN);
	return rc;
}

int throttle_right(struct throttle *t, struct slice address, struct slice account, struct err *e)
{
	return take_back(t, address, account, per_pair.burst, e);
}

int throttle_undo(struct throttle *t, struct slice address, struct slice account, struct err *e)
{
	return take_back(t, address, account, 1, e);
}

int throttle_wait(struct throttle *t, struct err *e)
{
	uint64_t tag = tag_of(t, &per_wait, SLICE(""), SLICE(""));
	int64_t now_ms = clock_now_ms(), ahead;
	int rc = -1;

	if (lock(t, e) != 0)
		return -1;
	if (look(t, &per_wait, tag, now_ms, &ahead, e) != 0)
		goto out;
	if (spent(&per_wait, ahead))
		rc = 0;
	else if (add(t, &per_wait, tag, now_ms, 1, e) == 0)
		rc = 1;
out:
	flock(t->fd, LOCK_UN);
	return rc;
}
