/* See session.h. */
#include "storage/session.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <zlib.h>

#include "base/clock.h"
#include "base/stream.h"
#include "storage/home_priv.h"

#define SESSION_FILE "session"
#define SESSION_MAGIC 0x32736573796b6e61ULL /* the layout of this build; another one is "no session" */

struct header {
	uint64_t magic;
	uint64_t size; /* of this struct: a build with another layout does not misread it */
	struct session session;
	uint64_t checksum;
};

struct record_head {
	uint32_t type;
	uint32_t checksum;
	uint64_t length;
};

static uint32_t checksum(const void *p, size_t n)
{
	return (uint32_t)crc32_z(0, p, n);
}

void home_close_session(struct home *h)
{
	if (h->session_fd >= 0)
		close(h->session_fd);
	h->session_fd = -1;
}

/* The file, from the last request if nobody has removed it since. 1 there, 0 not (unless `make`), -1. */
static int open_file(struct home *h, bool make, struct err *e)
{
	struct stat st;

	assert(h->locked);
	if (h->session_fd >= 0 && (h->session_seen || (fstat(h->session_fd, &st) == 0 && st.st_nlink > 0))) {
		h->session_seen = true;
		return 1;
	}
	home_close_session(h);
	h->session_fd = openat(h->dirfd, SESSION_FILE, (make ? O_CREAT : 0) | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0600);
	h->session_seen = h->session_fd >= 0;
	if (h->session_fd < 0 && (errno != ENOENT || make))
		return err_errno(e, "%s/" SESSION_FILE, h->path);
	return h->session_fd >= 0;
}

static void empty_session(struct session *s)
{
	memset(s, 0, sizeof *s);
	s->end = sizeof(struct header);
}

int session_load(struct home *h, struct session *s, struct err *e)
{
	struct header head;
	int got = open_file(h, false, e);

	empty_session(s);
	if (got != 1)
		return got;
	got = fd_read_at(h->session_fd, &head, sizeof head, 0);
	if (got < 0)
		return err_errno(e, "%s/" SESSION_FILE ": read", home_path(h));
	if (got == 1 && head.magic == SESSION_MAGIC && head.size == sizeof head &&
	    head.checksum == checksum(&head.session, sizeof head.session))
		*s = head.session;
	return 0;
}

int session_save(struct home *h, const struct session *s, struct err *e)
{
	struct header head = { SESSION_MAGIC, sizeof head, *s, checksum(s, sizeof *s) };

	if (open_file(h, true, e) < 0)
		return -1;
	if (fd_write_at(h->session_fd, &head, sizeof head, 0) != 0)
		return err_errno(e, "%s/" SESSION_FILE ": write", home_path(h));
	return 0;
}

static bool key_fits(struct slice key)
{
	return key.len > 0 && key.len <= SESSION_KEY_MAX && !memchr(key.p, 0, key.len);
}

static void copy_key(char out[SESSION_KEY_MAX + 1], struct slice key)
{
	memset(out, 0, SESSION_KEY_MAX + 1);
	memcpy(out, key.p, key.len);
}

/* Its place, or the one that was used longest ago. */
static struct session_device *device_place(struct session *s, const uint8_t *key_hash)
{
	struct session_device *oldest = &s->devices[0];

	for (int i = 0; i < SESSION_DEVICES; i++) {
		struct session_device *d = &s->devices[i];

		if (d->used_s && memcmp(d->key, key_hash, sizeof d->key) == 0)
			return d;
		if (d->used_s < oldest->used_s)
			oldest = d;
	}
	return oldest;
}

bool session_note_device(struct session *s, const uint8_t key_hash[HOME_KEY_HASH_BYTES], struct slice client, int64_t now_s)
{
	enum { EVERY_S = 300 };
	struct session_device *d = device_place(s, key_hash), now = { .used_s = now_s > 0 ? now_s : 1 };

	memcpy(now.key, key_hash, sizeof now.key);
	snprintf(now.client, sizeof now.client, "%.*s", (int)client.len, client.len ? client.p : "");
	if (memcmp(d->key, now.key, sizeof now.key) == 0 && strcmp(d->client, now.client) == 0 && now_s >= d->used_s &&
	    now_s - d->used_s < EVERY_S)
		return false;
	*d = now;
	return true;
}

const struct session_device *session_device(const struct session *s, const uint8_t *key_hash)
{
	const struct session_device *d = device_place((struct session *)s, key_hash);

	return d->used_s && memcmp(d->key, key_hash, sizeof d->key) == 0 ? d : NULL;
}

int session_note_meta(struct home *h, struct session *s, struct slice key, const struct session_stamp *stamp, struct err *e)
{
	struct session_told *told = (struct session_told *)session_told(s, key);

	if (!key_fits(key) || (told && memcmp(&told->stamp, stamp, sizeof *stamp) == 0))
		return 0;
	if (!told) {
		told = &s->ring[s->ring_next];
		s->ring_next = (s->ring_next + 1) % SESSION_RING;
	}
	copy_key(told->key, key);
	told->stamp = *stamp;
	return session_save(h, s, e);
}

const struct session_told *session_told(const struct session *s, struct slice key)
{
	if (!key_fits(key))
		return NULL;
	for (int i = 0; i < SESSION_RING; i++)
		if (slice_eq_str(key, s->ring[i].key))
			return &s->ring[i];
	return NULL;
}

int session_begin(struct home *h, struct session *s, struct slice key, const struct session_stamp *stamp, int64_t min_usn,
		  bool client_is_newer, struct err *e)
{
	if (!key_fits(key))
		return err_set(e, ERR_BAD_REQUEST, "session key of %zu bytes; 1 to %d", key.len, SESSION_KEY_MAX);
	copy_key(s->key, key);
	s->state = SESSION_OPEN;
	s->stamp = *stamp;
	s->min_usn = min_usn;
	s->client_is_newer = client_is_newer;
	s->changes_s = 0;
	cursor_start(&s->cursor, min_usn);
	s->end = sizeof(struct header);
	s->committed_mod_ms = 0;
	s->began_ms = clock_now_ms();
	memset(s->answer, 0, sizeof s->answer);
	return session_save(h, s, e);
}

int session_end(struct home *h, struct err *e)
{
	struct session s;

	if (session_load(h, &s, e) != 0)
		return -1;
	if (s.state == SESSION_NONE)
		return 0;
	s.state = SESSION_NONE;
	memset(s.key, 0, sizeof s.key);
	s.end = sizeof(struct header);
	return session_save(h, &s, e);
}

int session_check(const struct session *s, struct slice key, struct err *e)
{
	if (s->state == SESSION_NONE || !slice_eq_str(key, s->key))
		return err_set(e, ERR_CONFLICT, "no sync is going on under this session key");
	return 0;
}

int session_add(struct home *h, struct session *s, enum session_record type, struct slice bytes, uint64_t max_bytes, struct err *e)
{
	struct record_head head = { type, checksum(bytes.p, bytes.len), bytes.len };

	if (s->end + sizeof head + bytes.len > max_bytes)
		return err_set(e, ERR_TOO_BIG, "one sync of more than %llu bytes: raise MAX_SYNC_PAYLOAD_MEGS", (unsigned long long)max_bytes);
	if (open_file(h, true, e) < 0)
		return -1;
	/* What an earlier, larger sync left behind the end must not stay on disk for ever. */
	if (s->end == sizeof(struct header) && ftruncate(h->session_fd, (off_t)s->end) != 0)
		return err_errno(e, "%s/" SESSION_FILE ": truncate", home_path(h));
	if (fd_write_at(h->session_fd, &head, sizeof head, s->end) != 0 ||
	    fd_write_at(h->session_fd, bytes.p, bytes.len, s->end + sizeof head) != 0)
		return err_errno(e, "%s/" SESSION_FILE ": write", home_path(h));
	s->end += sizeof head + bytes.len;
	return 0;
}

/* Read the record at *at, if it is of the wanted type. 1 read, 0 passed over, -1. */
static int read_record(int fd, const struct session *s, uint64_t *at, int type, struct record_head *head, struct buf *bytes, struct err *e)
{
	char *room;

	if (s->end - *at < sizeof *head || fd_read_at(fd, head, sizeof *head, *at) != 1 || head->length > s->end - *at - sizeof *head)
		return err_set(e, ERR_CONFLICT, "session: a record is cut off");
	*at += sizeof *head + head->length;
	if (type && head->type != (uint32_t)type)
		return 0;
	buf_reset(bytes);
	room = buf_room(bytes, head->length);
	if (!room || fd_read_at(fd, room, head->length, *at - head->length) != 1 || checksum(room, head->length) != head->checksum)
		return err_set(e, ERR_CONFLICT, "session: a record is damaged");
	bytes->len = head->length;
	bytes->data[bytes->len] = 0;
	return 1;
}

int session_each(struct home *h, const struct session *s, int type, record_fn *fn, void *arg, struct err *e)
{
	struct buf bytes = BUF_INIT(BUF_UNBOUNDED);
	uint64_t at = sizeof(struct header);
	int rc;

	if (s->end <= at)
		return 0;
	rc = open_file(h, false, e);
	if (rc != 1)
		return rc == 0 ? err_set(e, ERR_CONFLICT, "session: the file is gone") : -1;
	rc = 0;
	while (rc == 0 && at < s->end) {
		struct record_head head;
		int got = read_record(h->session_fd, s, &at, type, &head, &bytes, e);

		if (got < 0)
			rc = -1;
		else if (got == 1)
			rc = fn((enum session_record)head.type, buf_slice(&bytes), arg, e);
	}
	buf_release(&bytes);
	return rc;
}
