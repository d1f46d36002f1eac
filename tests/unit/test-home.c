/* storage/home: folders, lock and slots across processes, keys, generations and what is swept. */
#include "storage/home.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "storage/media.h"
#include "tests/unit/test.h"

static bool disk_fails;

/* SQLite's, which waits for the disk by this call alone. */
int fdatasync(int fd)
{
	if (!disk_fails)
		return (int)syscall(SYS_fdatasync, fd);
	errno = EIO;
	return -1;
}

struct place {
	char base[64];
	struct homes *homes;
};

static struct homes *open_homes(const char *base, int workers, int lock_ms)
{
	const struct homes_options o = { .base = base, .kept_generations = 3, .workers = workers, .lock_ms = lock_ms };
	struct err e = ERR_INIT;
	struct homes *hs = homes_open(&o, &e);

	if (!hs)
		fail_msg("%s", e.msg);
	return hs;
}

static int setup(void **state)
{
	struct place *p = calloc(1, sizeof *p);

	snprintf(p->base, sizeof p->base, "/tmp/test-home-XXXXXX");
	if (!p || !mkdtemp(p->base))
		return -1;
	p->homes = open_homes(p->base, 4, 200);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;
	char command[128];

	homes_close(p->homes);
	snprintf(command, sizeof command, "rm -rf '%s'", p->base);
	if (system(command) != 0)
		return -1;
	free(p);
	return 0;
}

static struct home *make_home(struct place *p)
{
	struct home *h;
	struct err e = ERR_INIT;

	if (homes_create(p->homes, &h, &e) != 0)
		fail_msg("%s", e.msg);
	return h;
}

static void test_uids(void **state)
{
	static const char *const bad[] = { "", "short", "../../../../etc", "ABCDEFGHIJKL", "abcdefghij/.", "abcdefghijk\n",
					   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "abcdefghijkl" };
	struct place *p = *state;
	struct home *h, *again;
	struct err e = ERR_INIT;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(homes_get(p->homes, slice_of(bad[i]), &h, &e), 0);
	h = make_home(p);
	assert_int_equal(homes_get(p->homes, slice_of(home_uid(h)), &again, &e), 1);
	assert_ptr_equal(h, again);
}

static void test_more_homes_than_places(void **state)
{
	struct place *p = *state;
	char uids[20][HOME_UID_CHARS + 1];
	uint8_t hash[HOME_KEY_HASH_BYTES] = { 1 };
	struct err e = ERR_INIT;
	struct home *h;

	for (size_t i = 0; i < 20; i++) {
		h = make_home(p);
		snprintf(uids[i], sizeof uids[i], "%s", home_uid(h));
		hash[1] = (uint8_t)i;
		assert_int_equal(home_lock(h, &e), 0);
		assert_int_equal(home_key_add(h, hash, SLICE("client"), 1, &e), 0);
		home_unlock(h);
	}
	for (size_t i = 0; i < 20; i++) {
		assert_int_equal(homes_get(p->homes, slice_of(uids[i]), &h, &e), 1);
		hash[1] = (uint8_t)i;
		assert_int_equal(home_key_find(h, hash, &e), 1);
		hash[1] = (uint8_t)(i + 1);
		assert_int_equal(home_key_find(h, hash, &e), 0);
	}
}

static void test_keys_end(void **state)
{
	struct place *p = *state;
	const uint8_t hash[HOME_KEY_HASH_BYTES] = { 7 };
	struct home *h = make_home(p);
	struct err e = ERR_INIT;
	int64_t n;

	assert_int_equal(home_lock(h, &e), 0);
	assert_int_equal(home_key_add(h, hash, SLICE(""), 1, &e), 0);
	assert_int_equal(home_key_count(h, &n, &e), 0);
	assert_int_equal(n, 1);
	assert_int_equal(home_keys_end(h, &e), 0);
	assert_int_equal(home_key_find(h, hash, &e), 0);
	home_unlock(h);
}

/* Write ends that later children inherit: each closes them, or nobody would ever see the end of a pipe. */
static int inherited[4], n_inherited;

/* In another process: take a slot (and the lock), say so, and hold it until the pipe closes. */
static pid_t hold(const char *base, const char *uid, bool lock, int *release_fd)
{
	int said[2], release[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(said), 0);
	assert_int_equal(pipe(release), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct homes *hs = open_homes(base, 4, 200);
		struct home *h;

		close(release[1]);
		for (int i = 0; i < n_inherited; i++)
			close(inherited[i]);
		if (homes_get(hs, slice_of(uid), &h, NULL) != 1 || (lock ? home_lock(h, NULL) : home_slot(h, NULL)) != 0)
			_exit(1);
		if (write(said[1], "x", 1) != 1 || read(release[0], &byte, 1) != 0)
			_exit(1);
		_exit(0); /* without unlocking: the lock dies with the process */
	}
	close(said[1]);
	close(release[0]);
	assert_int_equal(read(said[0], &byte, 1), 1);
	close(said[0]);
	*release_fd = inherited[n_inherited++] = release[1];
	return pid;
}

static void let_go(pid_t pid, int release_fd)
{
	int status;

	close(release_fd);
	for (int i = 0; i < n_inherited; i++)
		if (inherited[i] == release_fd)
			inherited[i] = inherited[--n_inherited];
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_lock_is_waited_for(void **state)
{
	struct place *p = *state;
	struct home *h = make_home(p);
	struct err e = ERR_INIT;
	int release;
	pid_t pid = hold(p->base, home_uid(h), true, &release);

	assert_int_equal(home_lock(h, &e), -1);
	assert_int_equal(e.kind, ERR_BUSY);
	let_go(pid, release);
	assert_int_equal(home_lock(h, &e), 0);
	home_unlock(h);
}

static void test_slots(void **state)
{
	struct place *p = *state;
	struct home *h = make_home(p), *other;
	struct err e = ERR_INIT;
	char uid[HOME_UID_CHARS + 1];
	int release[2];
	pid_t pids[2];

	snprintf(uid, sizeof uid, "%s", home_uid(h));
	for (int i = 0; i < 2; i++)
		pids[i] = hold(p->base, uid, false, &release[i]);
	assert_int_equal(home_lock(h, &e), -1); /* 4 workers: two of them for one user */
	assert_int_equal(e.kind, ERR_BUSY);
	other = make_home(p);
	assert_int_equal(home_lock(other, &e), 0);
	home_unlock(other);
	let_go(pids[0], release[0]);
	assert_int_equal(homes_get(p->homes, slice_of(uid), &h, &e), 1);
	assert_int_equal(home_lock(h, &e), 0);
	home_unlock(h);
	let_go(pids[1], release[1]);
}

static void test_deleted_user(void **state)
{
	struct place *p = *state;
	struct home *h = make_home(p), *again;
	struct homes *others = open_homes(p->base, 4, 200);
	struct home *theirs;
	char path[256], uid[HOME_UID_CHARS + 1];
	struct err e = ERR_INIT;

	snprintf(path, sizeof path, "%s", home_path(h));
	snprintf(uid, sizeof uid, "%s", home_uid(h));
	assert_int_equal(homes_get(others, slice_of(uid), &theirs, &e), 1);
	assert_int_equal(home_lock(h, &e), 0);
	assert_int_equal(home_remove(h, &e), 0);
	home_unlock(h);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(home_lock(theirs, &e), -1);
	assert_int_equal(e.kind, ERR_BAD_LOGIN);
	assert_int_equal(homes_get(p->homes, slice_of(uid), &again, &e), 0);
	homes_close(others);
}

/* `what` on `path` and what belongs to it. */
static void run(const char *what, const char *path)
{
	char command[1024];

	snprintf(command, sizeof command, "P='%s'; %s", path, what);
	assert_int_equal(system(command), 0);
}

/* Only who was deleted may hear that nobody knows him: a client forgets its login then. */
static void test_not_deleted(void **state)
{
	struct place *p = *state;
	struct home *h = make_home(p), *got;
	char uid[HOME_UID_CHARS + 1], path[256], users[256];
	struct err e = ERR_INIT;

	snprintf(uid, sizeof uid, "%s", home_uid(h));
	snprintf(path, sizeof path, "%s", home_path(h));
	snprintf(users, sizeof users, "%s/users", p->base);
	/* The disk is not mounted any more. */
	run("mv $P $P-away", users);
	assert_int_equal(home_lock(h, &e), -1);
	assert_int_equal(e.kind, ERR_CUT_OFF);
	assert_int_equal(homes_get(p->homes, slice_of(uid), &got, &e), -1);
	assert_int_equal(e.kind, ERR_CUT_OFF);
	assert_int_equal(homes_get(p->homes, SLICE("abcdefghijkl"), &got, &e), -1);
	assert_int_equal(e.kind, ERR_CUT_OFF);
	run("mv $P-away $P", users);
	/* Set back from a backup after somebody has looked for the key. */
	assert_int_equal(homes_get(p->homes, slice_of(uid), &h, &e), 1);
	run("cp -a $P $P-copy; rm -r $P; mv $P-copy $P", path);
	assert_int_equal(home_lock(h, &e), -1);
	assert_int_equal(e.kind, ERR_BUSY);
	assert_int_equal(homes_get(p->homes, slice_of(uid), &h, &e), 1);
	assert_int_equal(home_lock(h, &e), 0);
	home_unlock(h);
}

/* A user.db that is gone, or was emptied, is no account without keys and collection. */
static void test_lost_user_db(void **state)
{
	static const char *const ways[] = { "rm -f $P/user.db*", "rm -f $P/user.db-*; truncate -s 0 $P/user.db" };
	const uint8_t hash[HOME_KEY_HASH_BYTES] = { 1 };
	struct place *p = *state;

	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		struct home *h = make_home(p);
		char uid[HOME_UID_CHARS + 1];
		struct err e = ERR_INIT;
		int64_t generation;

		snprintf(uid, sizeof uid, "%s", home_uid(h));
		homes_rest(p->homes, 0); /* no handle is open */
		assert_int_equal(homes_get(p->homes, slice_of(uid), &h, &e), 1);
		run(ways[i], home_path(h));
		assert_int_equal(home_key_find(h, hash, &e), -1);
		assert_int_equal(e.kind, ERR_DAMAGED);
		assert_int_equal(home_lock(h, &e), 0);
		assert_int_equal(home_generation(h, &generation, &e), -1);
		assert_int_equal(e.kind, ERR_DAMAGED);
		home_unlock(h);
	}
}

static void install_one(struct home *h, int64_t want)
{
	char name[HOME_NAME_MAX];
	struct err e = ERR_INIT;
	int64_t generation;
	int fd;

	assert_int_equal(home_temp(h, name, &fd, &e), 0);
	assert_int_equal(home_install(h, name, &generation, &e), 0);
	close(fd);
	assert_int_equal(generation, want);
	assert_int_equal(home_generation(h, &generation, &e), 0);
	assert_int_equal(generation, want);
}

static bool there(struct home *h, const char *name)
{
	return faccessat(home_dirfd(h), name, F_OK, 0) == 0;
}

static void make_file(struct home *h, const char *name)
{
	int fd = openat(home_dirfd(h), name, O_CREAT | O_RDWR, 0600);

	assert_true(fd >= 0);
	close(fd);
}

static void test_generations(void **state)
{
	struct place *p = *state;
	struct home *h = make_home(p);
	struct collection *c;
	struct err e = ERR_INIT;
	int64_t list[8];
	size_t n;

	assert_int_equal(home_lock(h, &e), 0);
	assert_int_equal(home_collection(h, &c, &e), 0);
	for (int64_t g = 1; g <= 5; g++)
		install_one(h, g);
	assert_int_equal(home_generations(h, list, 8, &n, &e), 0);
	assert_int_equal(n, 4); /* the current one and three kept */
	assert_false(there(h, "col-1.anki2"));
	assert_true(there(h, "col-2.anki2"));
	/* A file that no row knows, left by a worker that died: its number is not used again. */
	make_file(h, "col-9.anki2");
	make_file(h, "col-2.anki2-wal");
	install_one(h, 10);
	assert_false(there(h, "col-2.anki2-wal"));
	assert_true(there(h, "col-9.anki2"));
	home_unlock(h);
}

static void test_missing_file_is_damage(void **state)
{
	struct place *p = *state;
	struct home *h = make_home(p);
	struct collection *c;
	struct err e = ERR_INIT;

	assert_int_equal(home_lock(h, &e), 0);
	install_one(h, 1);
	assert_int_equal(unlinkat(home_dirfd(h), "col-1.anki2", 0), 0);
	assert_int_equal(home_collection(h, &c, &e), -1);
	assert_int_equal(e.kind, ERR_DAMAGED);
	home_unlock(h);
}

static void test_sweep_spares_what_is_in_use(void **state)
{
	struct place *p = *state;
	struct home *h = make_home(p);
	char used[HOME_NAME_MAX], stray[HOME_NAME_MAX];
	struct err e = ERR_INIT;
	int used_fd, stray_fd;

	assert_int_equal(home_temp(h, used, &used_fd, &e), 0);
	assert_int_equal(home_temp(h, stray, &stray_fd, &e), 0);
	close(stray_fd);
	assert_int_equal(home_lock(h, &e), 0);
	install_one(h, 1);
	home_unlock(h);
	assert_true(there(h, used));
	assert_false(there(h, stray));
	close(used_fd);
}

/* A worker was killed in an upload: the next request of that user that gets the lock tidies up, if its worker opens the home. */
static void test_first_lock_sweeps(void **state)
{
	struct place *p = *state;
	struct home *h = make_home(p);
	char used[HOME_NAME_MAX], stray[HOME_NAME_MAX], uid[HOME_UID_CHARS + 1];
	struct err e = ERR_INIT;
	int used_fd, stray_fd;

	snprintf(uid, sizeof uid, "%s", home_uid(h));
	assert_int_equal(home_temp(h, used, &used_fd, &e), 0);
	assert_int_equal(home_temp(h, stray, &stray_fd, &e), 0);
	close(stray_fd);
	homes_rest(p->homes, 0);
	assert_int_equal(homes_get(p->homes, slice_of(uid), &h, &e), 1);
	assert_true(there(h, stray));
	assert_int_equal(home_lock(h, &e), 0);
	assert_true(there(h, used));
	assert_false(there(h, stray));
	home_unlock(h);
	close(used_fd);
}

/* What user.db says once the power is back: the files as they are now, without the memory that workers share. */
static int64_t generation_after_power_loss(struct place *p, struct home *h)
{
	char command[512];
	struct homes *copies;
	struct home *copy;
	struct err e = ERR_INIT;
	int64_t generation;

	snprintf(command, sizeof command, "mkdir -m 700 '%s/new' && cp -a '%s/users' '%s/new' && rm '%s/new'/users/*/*/user.db-shm",
		 p->base, p->base, p->base, p->base);
	assert_int_equal(system(command), 0);
	snprintf(command, sizeof command, "%s/new", p->base);
	copies = open_homes(command, 4, 200);
	assert_int_equal(homes_get(copies, slice_of(home_uid(h)), &copy, &e), 1);
	assert_int_equal(home_lock(copy, &e), 0);
	assert_int_equal(home_generation(copy, &generation, &e), 0);
	home_unlock(copy);
	homes_close(copies);
	snprintf(command, sizeof command, "rm -r '%s/new'", p->base);
	assert_int_equal(system(command), 0);
	return generation;
}

/* The upload failed, and a later sync went to the generation before it: that one must stay the current one, come what may. */
static void test_failed_upload_stays_failed(void **state)
{
	struct place *p = *state;
	struct homes *others = open_homes(p->base, 4, 200);
	struct home *h = make_home(p), *other;
	char name[HOME_NAME_MAX];
	struct err e = ERR_INIT;
	int64_t generation;
	int fd;

	assert_int_equal(homes_get(others, slice_of(home_uid(h)), &other, &e), 1);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(home_lock(h, &e), 0);
		if (i == 0)
			install_one(h, 1);
		home_unlock(h);
		assert_int_equal(home_lock(other, &e), 0);
		assert_int_equal(home_generation(other, &generation, &e), 0);
		home_unlock(other);
		assert_int_equal(home_lock(h, &e), 0);
		assert_int_equal(home_generation(h, &generation, &e), 0);
		assert_int_equal(home_temp(h, name, &fd, &e), 0);
		disk_fails = true;
		assert_int_equal(home_install(h, name, &generation, &e), -1);
		disk_fails = false;
		close(fd);
		home_unlock(h);
		/* So it would be if nobody came meanwhile. */
		assert_int_equal(generation_after_power_loss(p, h), 2 + i);
		assert_int_equal(home_lock(other, &e), 0);
		assert_int_equal(home_generation(other, &generation, &e), 0);
		assert_int_equal(generation, 1);
		home_unlock(other);
		assert_int_equal(generation_after_power_loss(p, h), 1);
	}
	assert_int_equal(home_lock(h, &e), 0);
	install_one(h, 4);
	home_unlock(h);
	homes_close(others);
}

static int list_name(int64_t id, struct slice name, void *arg, struct err *e)
{
	(void)e;
	buf_printf(arg, "%lld %.*s,", (long long)id, (int)name.len, name.p);
	return 0;
}

static void check_old_names(struct home *h, int kind, int64_t min_usn, const char *want)
{
	struct buf got = BUF_INIT(BUF_UNBOUNDED);
	struct err e = ERR_INIT;

	assert_int_equal(home_names_each(h, kind, min_usn, list_name, &got, &e), 0);
	assert_string_equal(buf_str(&got), want);
	buf_release(&got);
}

static void test_old_names(void **state)
{
	const struct home_old_name first[] = { { 42, SLICE("first") }, { 43, SLICE("other") } };
	const struct home_old_name again[] = { { 42, SLICE("second try") } };
	const struct home_old_name later[] = { { 42, SLICE("later") } };
	struct home *h = make_home(*state);
	struct err e = ERR_INIT;

	assert_int_equal(home_lock(h, &e), 0);
	install_one(h, 1);
	assert_int_equal(home_names_note(h, 1, 7, first, 2, &e), 0);
	assert_int_equal(home_names_note(h, 1, 7, again, 1, &e), 0);
	assert_int_equal(home_names_note(h, 1, 9, later, 1, &e), 0);
	assert_int_equal(home_names_note(h, 1, 9, NULL, 0, &e), 0);
	check_old_names(h, 1, 5, "42 first,43 other,42 later,");
	check_old_names(h, 1, 8, "42 later,");
	check_old_names(h, 1, 10, "");
	check_old_names(h, 0, 5, "");
	install_one(h, 2);
	check_old_names(h, 1, 5, "");
	home_unlock(h);
}

static void test_refuses_an_open_folder(void **state)
{
	struct place *p = *state;
	const struct homes_options o = { .base = p->base, .kept_generations = 3, .workers = 4, .lock_ms = 1 };
	struct err e = ERR_INIT;

	assert_int_equal(chmod(p->base, 0755), 0);
	assert_null(homes_open(&o, &e));
	assert_non_null(strstr(e.msg, "chmod 700"));
	assert_int_equal(chmod(p->base, 0700), 0);
}

static int open_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* Deleted and replaced files are on the disk for as long as somebody has them open. */
static void test_unused_handles_are_closed(void **state)
{
	enum { BUSY = 10 };
	struct place *p = *state;
	int before = open_descriptors();
	struct collection *c;
	struct media *m;
	struct err e = ERR_INIT;

	for (int i = 0; i < 3; i++) {
		struct home *h = make_home(p);

		assert_int_equal(home_lock(h, &e), 0);
		assert_int_equal(home_first_collection(h, &e), 0);
		assert_int_equal(home_collection(h, &c, &e), 1);
		assert_int_equal(home_media(h, true, &m, &e), 1);
		home_unlock(h);
	}
	homes_rest(p->homes, 3600000);
	assert_true(open_descriptors() > before + BUSY);
	homes_rest(p->homes, 0);
	assert_int_equal(open_descriptors(), before);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_uids),
		T(test_more_homes_than_places),
		T(test_keys_end),
		T(test_lock_is_waited_for),
		T(test_slots),
		T(test_deleted_user),
		T(test_not_deleted),
		T(test_lost_user_db),
		T(test_generations),
		T(test_missing_file_is_damage),
		T(test_sweep_spares_what_is_in_use),
		T(test_first_lock_sweeps),
		T(test_failed_upload_stays_failed),
		T(test_old_names),
		T(test_refuses_an_open_folder),
		T(test_unused_handles_are_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
