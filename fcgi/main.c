/*
 * ankisync.fcgi: the worker. A web server, spawn-fcgi or systemd hands over a listening socket as descriptor 0. The same
 * program is the child that opens uploaded files (--import), as it is started by exec.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/log.h"
#include "core/call.h"
#include "fcgi/check.h"
#include "fcgi/worker.h"
#include "storage/importer.h"

enum { EXIT_USAGE = 64, EXIT_CONFIG = 78 }; /* sysexits.h */

static const char usage[] = "usage: ankisync.fcgi [-c file]\n"
			    "       ankisync.fcgi [-c file] --check\n"
			    "       ankisync.fcgi --version\n";

/* Descriptors 0 to 2 always exist, so that no database ever becomes standard error. */
static void fill_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/* What not even opening files and socket needs; the rest goes in confine(). */
static void give_up_rights(void)
{
	struct rlimit none = { 0, 0 };

	umask(0077);
	setrlimit(RLIMIT_CORE, &none);
#ifndef ANKISYNC_SANITIZE
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* the leak check traces its own process */
#endif
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	signal(SIGPIPE, SIG_IGN);
}

/*
 * glibc learns from the first large block that is freed (19 MiB for a password's hash) to take such blocks from the heap, and
 * to give nothing of it back below twice that size: each worker would keep some 40 MB for ever.
 */
static void give_memory_back(void)
{
#ifdef __GLIBC__
	/* Above what ordinary requests need again and again (core/spool.h). */
	mallopt(M_MMAP_THRESHOLD, 8 << 20);
	mallopt(M_TRIM_THRESHOLD, 2 << 20);
#endif
}

static bool has_socket(void)
{
	int listening = 0;
	socklen_t n = sizeof listening;

	return getsockopt(STDIN_FILENO, SOL_SOCKET, SO_ACCEPTCONN, &listening, &n) == 0 && listening;
}

static int run(const struct config *c)
{
	struct server server;
	struct err e = ERR_INIT;
	int rc;

	if (!has_socket()) {
		fputs("ankisync.fcgi: descriptor 0 is no listening socket; this program is started by a web server or by "
		      "spawn-fcgi, see ankisync.fcgi(8)\n", stderr);
		return EXIT_USAGE;
	}
	if (log_open(c->log_target, c->log_format, log_level_named(c->log_level), &e) != 0) {
		fprintf(stderr, "ankisync.fcgi: %s\n", e.msg);
		return EXIT_CONFIG;
	}
	give_up_rights();
	give_memory_back();
	if (server_open(&server, c, &e) != 0) {
		log_line(LOG_LEVEL_ERROR, "cannot start: %s", e.msg);
		return EXIT_CONFIG;
	}
	rc = worker_run(&server, &e);
	if (rc != 0)
		log_line(LOG_LEVEL_ERROR, "worker: %s", e.msg);
	server_close(&server);
	return rc == 0 ? EXIT_SUCCESS : e.kind == ERR_BAD_REQUEST ? EXIT_CONFIG : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check", no_argument, NULL, 'k' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	const char *path = NULL;
	struct config config;
	struct err e = ERR_INIT;
	bool check = false;
	int option, rc;

	if (argc > 1 && strcmp(argv[1], IMPORTER_OPTION) == 0)
		return importer_main(argc, argv);
	fill_descriptors();
	/* Else libc looks at /etc/localtime for every local time; libarchive wants two for each member of a zip. */
	(void)setenv("TZ", ":/etc/localtime", 0);
	while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			path = optarg;
			break;
		case 'k':
			check = true;
			break;
		case 'V':
			puts("ankisync " VERSION);
			return EXIT_SUCCESS;
		case 'h':
			fputs(usage, stdout);
			return EXIT_SUCCESS;
		default:
			fputs(usage, stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "ankisync.fcgi: what is \"%s\"?\n%s", argv[optind], usage);
		return EXIT_USAGE;
	}
	if (config_load(&config, path, &e) != 0) {
		fprintf(stderr, "ankisync.fcgi: %s\n", e.msg);
		return EXIT_CONFIG;
	}
	rc = check ? (check_all(&config) ? EXIT_FAILURE : EXIT_SUCCESS) : run(&config);
	config_release(&config);
	return rc;
}
