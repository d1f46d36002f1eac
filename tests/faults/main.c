/*
 * Fault tests of the server from memory (hardening.md §3): see tests/faults/README.md.
 *
 *   faults kill|fail|other [--op NAME] [--how HOW] [--at N] [--most N] [--part I/N] [--journal rollback]
 *   faults power|control [--op NAME] [--how HOW] [--at N] [--seed N] [--states N] [--part I/N]
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>

#include "base/log.h"
#include "storage/importer.h"
#include "tests/faults/power.h"

struct options {
	const char *command, *op, *how, *journal;
	uint64_t at;
	uint64_t seed, states;
	unsigned part, parts, most; /* at most so many points of one operation and kind */
};

static struct {
	int good, bad;
} sum;

static const struct fault {
	const char *name, *command;
	enum shim_mode mode;
	enum shim_kind kind;
	int error;
	bool sticky;
} kinds[] = {
	{ "worker", "kill", SHIM_KILL, SHIM_CHANGES, 0, false },
	{ "child", "kill", SHIM_KILL_CHILD, SHIM_CHANGES, 0, false },
	{ "ENOSPC-once", "fail", SHIM_FAIL, SHIM_CHANGES, ENOSPC, false },
	{ "ENOSPC-on", "fail", SHIM_FAIL, SHIM_CHANGES, ENOSPC, true },
	{ "EIO-once", "fail", SHIM_FAIL, SHIM_CHANGES, EIO, false },
	{ "EIO-on", "fail", SHIM_FAIL, SHIM_CHANGES, EIO, true },
	{ "EDQUOT-on", "fail", SHIM_FAIL, SHIM_CHANGES, EDQUOT, true },
	{ "EROFS-on", "fail", SHIM_FAIL, SHIM_CHANGES, EROFS, true }, /* what a file system does that has met an error */
	{ "short-on", "fail", SHIM_SHORT, SHIM_CHANGES, ENOSPC, true },
	{ "read-once", "other", SHIM_FAIL, SHIM_READS, EIO, false },
	{ "read-on", "other", SHIM_FAIL, SHIM_READS, EIO, true },
	{ "EMFILE-once", "other", SHIM_FAIL, SHIM_OPENS, EMFILE, false },
	{ "ENFILE-on", "other", SHIM_FAIL, SHIM_OPENS, ENFILE, true },
	{ "EACCES-once", "other", SHIM_FAIL, SHIM_OPENS, EACCES, false },
	{ "EACCES-on", "other", SHIM_FAIL, SHIM_OPENS, EACCES, true },
	{ "ENOLCK-once", "other", SHIM_FAIL, SHIM_LOCKS, ENOLCK, false },
	{ "mmap-once", "other", SHIM_FAIL, SHIM_MAPS, ENOMEM, false },
	{ "mmap-on", "other", SHIM_FAIL, SHIM_MAPS, ENOMEM, true },
	{ "malloc-once", "other", SHIM_FAIL, SHIM_MEMORY, ENOMEM, false },
	{ "malloc-on", "other", SHIM_FAIL, SHIM_MEMORY, ENOMEM, true },
	{ "slow", "other", SHIM_SLOW, SHIM_READS, 0, false },
};
enum { SLOW_POINTS = 3 };

static void report(bool good, const struct options *o, const char *op, const char *how, uint64_t at)
{
	if (good) {
		sum.good++;
		return;
	}
	if (++sum.bad > 20)
		return;
	printf("FAILED: faults %s --op %s --how %s --at %llu --journal %s: [%s] %s\n", o->command, op, how, (unsigned long long)at,
	       o->journal, shim->fired_what, shim->message);
	fflush(stdout);
}

static void points(struct place *p, const struct options *o, const struct operation *op, const struct fault *f,
		   const struct state *after, uint64_t calls)
{
	uint64_t most = op->flags & OPERATION_LARGE ? (o->most + 4) / 5 : o->most;
	uint64_t stride = most && calls > most ? (calls + most - 1) / most : 1;

	for (uint64_t at = 1; at <= calls; at += stride) {
		struct plan plan = { op, f->mode, f->kind, at, f->error, f->sticky, false };

		if (o->at ? at != o->at && stride == 1 : (at / stride) % o->parts != o->part)
			continue;
		if (o->at)
			plan.at = at = o->at;
		run_worker(p, &plan);
		/* The child makes a part of the calls only. */
		if (!shim->fired && (f->mode == SHIM_KILL_CHILD || f->mode == SHIM_SHORT))
			continue;
		if (!shim->fired)
			snprintf(shim->message, sizeof shim->message, "the fault did not fire");
		report(!shim->message[0] && run_check(p, op, after, shim->acks, true) == 0, o, op->name, f->name, at);
		if (o->at)
			break;
	}
}

static uint64_t count_calls(struct place *p, const struct operation *op, const struct fault *f)
{
	struct state after;
	uint64_t calls;

	if (f->mode == SHIM_SLOW)
		return SLOW_POINTS;
	run_clean(p, op, f->kind, false, &after, &calls);
	state_release(&after);
	return calls;
}

static void all_points(struct place *p, const struct options *o)
{
	for (size_t i = 0; i < operations_n; i++) {
		const struct operation *op = &operations[i];
		struct state after;
		uint64_t calls;

		if (o->op && strcmp(o->op, op->name) != 0)
			continue;
		run_clean(p, op, SHIM_CHANGES, false, &after, &calls);
		if (o->part == 0 && !o->at)
			printf("%s: %llu calls\n", op->name, (unsigned long long)calls);
		for (const struct fault *f = kinds; f < kinds + sizeof kinds / sizeof *kinds; f++)
			if (strcmp(f->command, o->command) == 0 && (!o->how || strcmp(o->how, f->name) == 0))
				points(p, o, op, f, &after, count_calls(p, op, f));
		state_release(&after);
	}
}

static bool power_failed(const char *op, const char *how, uint64_t at, uint64_t seed)
{
	if (++sum.bad <= 20)
		printf("FAILED: faults power --op %s --how %s --at %llu --seed %llu: %s\n", op, how, (unsigned long long)at,
		       (unsigned long long)seed, shim->message);
	fflush(stdout);
	return true;
}

static bool control_failed(const char *op, const char *how, uint64_t at, uint64_t seed)
{
	(void)op;
	(void)how;
	(void)at;
	(void)seed;
	return strncmp(shim->message, "answered, but lost", 18) == 0;
}

/* With `control` nothing that was answered is synced: each operation must lose something, or the test sees nothing. */
static void all_states(struct place *p, const struct options *o, bool control)
{
	uint64_t tried = 0, same = 0;

	shim->loose = control;
	for (size_t i = 0; i < operations_n; i++) {
		struct power w = { .states = o->states / (operations[i].flags & OPERATION_LARGE ? 10 : 1) / operations_n + 1, .seed = o->seed, .at = o->at, .how = o->how, .part = o->part,
				   .parts = o->parts, .failed = control ? control_failed : power_failed };

		if ((o->op && strcmp(o->op, operations[i].name) != 0) || (control && operations[i].flags & OPERATION_NO_CHANGE))
			continue;
		power_run(p, &operations[i], &w);
		printf("%s: %llu states, %llu more alike%s\n", operations[i].name, (unsigned long long)w.tried, (unsigned long long)w.same,
		       !control ? "" : w.bad ? ", some of them lose what was answered, as they must" : ": FAILED: nothing was lost");
		fflush(stdout);
		tried += w.tried;
		same += w.same;
		if (!control)
			sum.good += (int)(w.tried - w.bad);
		else
			*(w.bad ? &sum.good : &sum.bad) += 1;
	}
	printf("%llu states, %llu of them different\n", (unsigned long long)(tried + same), (unsigned long long)tried);
}

static int import(int argc, char **argv)
{
	char control[256];
	const char *at = argc == 4 ? strstr(argv[3], "/base/users/") : NULL;

	if (at) {
		snprintf(control, sizeof control, "%.*s/control", (int)(at - argv[3]), argv[3]);
		if (shim_attach(control) != 0)
			return 1;
	}
	return importer_main(argc, argv);
}

int main(int argc, char **argv)
{
	static const struct option names[] = {
		{ "op", required_argument, NULL, 'o' },   { "at", required_argument, NULL, 'a' },
		{ "how", required_argument, NULL, 'h' },  { "part", required_argument, NULL, 'p' },
		{ "most", required_argument, NULL, 'm' }, { "seed", required_argument, NULL, 's' },
		{ "states", required_argument, NULL, 'n' }, { "journal", required_argument, NULL, 'j' },
		{ 0 },
	};
	struct options o = { .parts = 1, .states = 5000, .journal = "wal" };
	struct place place;
	int option;

	if (argc > 1 && strcmp(argv[1], IMPORTER_OPTION) == 0)
		return import(argc, argv);
	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (option == 'o')
			o.op = optarg;
		else if (option == 'a')
			o.at = strtoull(optarg, NULL, 10);
		else if (option == 'h')
			o.how = optarg;
		else if (option == 'm')
			o.most = (unsigned)strtoul(optarg, NULL, 10);
		else if (option == 's')
			o.seed = strtoull(optarg, NULL, 10);
		else if (option == 'j')
			o.journal = optarg;
		else if (option == 'n')
			o.states = strtoull(optarg, NULL, 10);
		else if (option != 'p' || sscanf(optarg, "%u/%u", &o.part, &o.parts) != 2)
			return 64;
	}
	if (optind + 1 != argc)
		return 64;
	o.command = argv[optind];
	signal(SIGPIPE, SIG_IGN);
	log_open("/dev/null", "text", LOG_LEVEL_ERROR, NULL);
	client_set_journal(o.journal);
	place_open(&place);
	if (strcmp(o.command, "power") == 0 || strcmp(o.command, "control") == 0)
		all_states(&place, &o, strcmp(o.command, "control") == 0);
	else
		all_points(&place, &o);
	place_close(&place);
	printf("%d passed, %d failed\n", sum.good, sum.bad);
	return sum.bad ? 1 : 0;
}
