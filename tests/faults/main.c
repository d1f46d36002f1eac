/*
 * Fault tests of the server from memory (hardening.md §3): see tests/faults/README.md.
 *
 *   faults kill|fail [--op NAME] [--how HOW] [--at N] [--most N] [--part I/N]
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>

#include "base/log.h"
#include "storage/importer.h"
#include "tests/faults/run.h"

struct options {
	const char *command, *op, *how;
	uint64_t at;
	unsigned part, parts, most; /* at most so many points of one operation and kind */
};

static struct {
	int good, bad;
} sum;

static const struct {
	const char *name, *command;
	enum shim_mode mode;
	int error;
	bool sticky;
} kinds[] = {
	{ "worker", "kill", SHIM_KILL, 0, false },
	{ "child", "kill", SHIM_KILL_CHILD, 0, false },
	{ "ENOSPC-once", "fail", SHIM_FAIL, ENOSPC, false },
	{ "ENOSPC-on", "fail", SHIM_FAIL, ENOSPC, true },
	{ "EIO-once", "fail", SHIM_FAIL, EIO, false },
	{ "EIO-on", "fail", SHIM_FAIL, EIO, true },
	{ "EDQUOT-on", "fail", SHIM_FAIL, EDQUOT, true },
	{ "short-on", "fail", SHIM_SHORT, ENOSPC, true },
};

static void report(bool good, const struct options *o, const char *op, const char *how, uint64_t at)
{
	if (good) {
		sum.good++;
		return;
	}
	if (++sum.bad > 20)
		return;
	printf("FAILED: faults %s --op %s --how %s --at %llu: [%s] %s\n", o->command, op, how, (unsigned long long)at, shim->fired_what,
	       shim->message);
	fflush(stdout);
}

static void points(struct place *p, const struct options *o, const struct operation *op, size_t kind, const struct state *after,
		   uint64_t calls)
{
	uint64_t stride = o->most && calls > o->most ? (calls + o->most - 1) / o->most : 1;

	for (uint64_t at = 1; at <= calls; at += stride) {
		struct plan plan = { op, kinds[kind].mode, at, kinds[kind].error, kinds[kind].sticky, false };
		bool good;

		if (o->at ? at != o->at && stride == 1 : (at / stride) % o->parts != o->part)
			continue;
		if (o->at)
			plan.at = at = o->at;
		run_worker(p, &plan);
		/* The child makes a part of the calls only. */
		if (!shim->fired && (plan.mode == SHIM_KILL_CHILD || plan.mode == SHIM_SHORT))
			continue;
		if (plan.mode == SHIM_KILL_CHILD && strncmp(shim->fired_what, "child", 5) != 0)
			continue;
		if (!shim->fired)
			snprintf(shim->message, sizeof shim->message, "the fault did not fire");
		good = !shim->message[0] && run_check(p, op, after, shim->acks) == 0;
		report(good, o, op->name, kinds[kind].name, at);
		if (o->at)
			break;
	}
}

static void all_points(struct place *p, const struct options *o)
{
	for (size_t i = 0; i < operations_n; i++) {
		struct state after;
		uint64_t calls;

		if (o->op && strcmp(o->op, operations[i].name) != 0)
			continue;
		run_clean(p, &operations[i], false, &after, &calls);
		if (o->part == 0 && !o->at)
			printf("%s: %llu calls\n", operations[i].name, (unsigned long long)calls);
		for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
			if (strcmp(kinds[k].command, o->command) == 0 && (!o->how || strcmp(o->how, kinds[k].name) == 0))
				points(p, o, &operations[i], k, &after, calls);
		state_release(&after);
	}
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
		{ "most", required_argument, NULL, 'm' }, { 0 },
	};
	struct options o = { .parts = 1 };
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
		else if (option != 'p' || sscanf(optarg, "%u/%u", &o.part, &o.parts) != 2)
			return 64;
	}
	if (optind + 1 != argc)
		return 64;
	o.command = argv[optind];
	signal(SIGPIPE, SIG_IGN);
	log_open("/dev/null", "text", LOG_LEVEL_ERROR, NULL);
	place_open(&place);
	all_points(&place, &o);
	place_close(&place);
	printf("%d passed, %d failed\n", sum.good, sum.bad);
	return sum.bad ? 1 : 0;
}
