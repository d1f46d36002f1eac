/* See power.h. */
#include "tests/faults/power.h"

#include "tests/faults/disk.h"

enum { SEEN = 1 << 16, FULL_CHECK_EVERY = 4 };

static const struct {
	const char *name;
	enum disk_choice choice;
} choices[] = {
	{ "lost", DISK_LOST },
	{ "kept", DISK_KEPT },
	{ "names", DISK_NAMES_ONLY },
	{ "bytes", DISK_BYTES_ONLY },
	{ "random", DISK_RANDOM },
};
enum { CHOICES = sizeof choices / sizeof *choices };

static uint64_t hash_add(uint64_t h, const char *p, size_t n)
{
	for (; n >= 8; p += 8, n -= 8) {
		uint64_t v;

		memcpy(&v, p, 8);
		h = (h ^ v) * 0x9e3779b97f4a7c15u;
		h ^= h >> 29;
	}
	for (; n; n--)
		h = (h ^ (uint8_t)*p++) * 0x100000001b3u;
	return h;
}

/* Order of names does not matter: the same folder may be listed otherwise. */
static uint64_t hash_of(const struct image *i, int acks)
{
	uint64_t sum = (uint64_t)acks + 1;

	for (size_t k = 0; k < i->n; k++)
		sum += hash_add(hash_add(i->files[k].len + 1, i->files[k].path, strlen(i->files[k].path)), i->files[k].data,
				i->files[k].len);
	return sum ? sum : 1;
}

static bool seen_before(uint64_t *seen, uint64_t h)
{
	size_t at = h % SEEN;

	for (int i = 0; i < SEEN; i++, at = (at + 1) % SEEN) {
		if (seen[at] == h)
			return true;
		if (!seen[at]) {
			seen[at] = h;
			return false;
		}
	}
	return false;
}

static void one_state(struct place *p, const struct operation *op, struct power *w, const struct disk *d, const struct state *after,
		      uint64_t moment, size_t choice, uint64_t seed, uint64_t *seen)
{
	struct image image;

	disk_state(d, choices[choice].choice, seed, &image);
	if (seen_before(seen, hash_of(&image, disk_acks(d)))) {
		w->same++;
	} else {
		image_write(&image, p->base);
		w->tried++;
		shim->message[0] = 0;
		if (run_check(p, op, after, disk_acks(d), w->at != 0 || w->tried % FULL_CHECK_EVERY == 0) != 0)
			w->bad += w->failed(op->name, choices[choice].name, moment, seed);
	}
	image_release(&image);
}

static uint64_t count_moments(const struct image *start)
{
	struct disk *d = disk_new(start);
	uint64_t n = 0;

	while (disk_next(d))
		n++;
	disk_free(d);
	return n;
}

void power_run(struct place *p, const struct operation *op, struct power *w)
{
	uint64_t *seen = xcalloc(SEEN, sizeof *seen), calls, moments, stride, each;
	struct state after;
	struct disk *d;

	run_clean(p, op, SHIM_CHANGES, true, &after, &calls);
	if (shim->trace_full) {
		fprintf(stderr, "%s: the trace is full\n", op->name);
		exit(2);
	}
	moments = count_moments(&p->template);
	stride = w->states && moments * CHOICES > w->states ? (moments * CHOICES + w->states - 1) / w->states : 1;
	each = w->states > moments / stride * CHOICES ? w->states / (moments / stride) : CHOICES;
	d = disk_new(&p->template);
	for (uint64_t moment = 1; disk_next(d); moment++) {
		if (w->at ? moment != w->at : moment % stride != 0 && moment + 30 < moments)
			continue; /* the end, with the answer, is always looked at */
		for (uint64_t j = 0; j < each; j++) {
			size_t choice = j < CHOICES ? (size_t)j : CHOICES - 1;

			if (w->how ? strcmp(w->how, choices[choice].name) != 0 : (moment + j) % w->parts != w->part)
				continue;
			one_state(p, op, w, d, &after, moment, choice, w->how ? w->seed : w->seed + moment * 1000 + j, seen);
			if (w->how)
				break;
		}
	}
	disk_free(d);
	state_release(&after);
	free(seen);
}
