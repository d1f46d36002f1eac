/* See worker.h. */
#include "fcgi/worker.h"

#include <errno.h>
#include <fcgiapp.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "fcgi/reply.h"
#include "fcgi/request.h"
#include "fcgi/serve.h"

enum {
	LISTEN_FD = 0,
	STALL_S = 30,                /* a peer that sends or takes nothing for so long is dropped */
	REST_MS = 10000,             /* between two looks at what can be closed, while idle */
	RESTS = 12,                  /* then there is nothing left to close */
	LEAVE_AFTER_REQUESTS = 100000,
	LEAVE_ABOVE_BYTES = 256 << 20,
	LIVE_AT_LEAST_MS = 30000,
};

static volatile sig_atomic_t asked_to_end, asked_to_reopen;

static void on_end(int sig)
{
	(void)sig;
	asked_to_end = 1;
}

static void on_reopen(int sig)
{
	(void)sig;
	asked_to_reopen = 1;
}

static void on_alarm(int sig)
{
	(void)sig; /* interrupting a read is all it is for */
}

static void handle(int sig, void (*handler)(int))
{
	struct sigaction a = { .sa_handler = handler }; /* without SA_RESTART */

	sigaction(sig, &a, NULL);
}

/*
 * Requests are never interrupted: SIGTERM and the others are let in only where the worker waits for a connection. *waiting
 * is the mask for there.
 */
static void set_signals(sigset_t *waiting)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGUSR1, SIGHUP };
	sigset_t block;

	sigemptyset(&block);
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
		sigaddset(&block, signals[i]);
		handle(signals[i], signals[i] == SIGHUP ? on_reopen : on_end);
	}
	handle(SIGALRM, on_alarm);
	handle(SIGPIPE, SIG_IGN);
	sigprocmask(SIG_BLOCK, &block, waiting);
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
		sigdelset(waiting, signals[i]);
}

/* --- when to leave --- */

struct life {
	int64_t start_ms;
	uint64_t left; /* requests */
	int statm;     /* /proc/self/statm, or -1 */
	bool due;
};

static void life_begin(struct life *l)
{
	uint32_t random;

	random_bytes(&random, sizeof random);
	/* Not all workers of one start at the same time. */
	*l = (struct life){
		.start_ms = clock_mono_ms(),
		.left = LEAVE_AFTER_REQUESTS * 4 / 5 + random % (LEAVE_AFTER_REQUESTS * 2 / 5),
		.statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC),
	};
}

static uint64_t resident_bytes(const struct life *l)
{
#ifdef ANKISYNC_SANITIZE
	(void)l;
	return 0; /* freed memory stays in quarantine */
#else
	unsigned long long size, resident;
	char text[128];
	ssize_t n = pread(l->statm, text, sizeof text - 1, 0);

	if (n <= 0)
		return 0;
	text[n] = 0;
	if (sscanf(text, "%llu %llu", &size, &resident) != 2)
		return 0;
	return resident * (uint64_t)sysconf(_SC_PAGESIZE);
#endif
}

static void life_count(struct life *l, bool cut_off)
{
	uint64_t bytes = resident_bytes(l);

	if (l->left)
		l->left--;
	if (l->due || (l->left && bytes <= LEAVE_ABOVE_BYTES && !cut_off))
		return;
	l->due = true;
	log_line(LOG_LEVEL_INFO, "this worker leaves: %s (%llu MiB)",
		 cut_off ? "the storage is out of reach" : l->left ? "memory" : "age", (unsigned long long)(bytes >> 20));
}

static bool life_over(const struct life *l)
{
	return asked_to_end || (l->due && clock_mono_ms() - l->start_ms >= LIVE_AT_LEAST_MS);
}

/* --- connections --- */

/*
 * Waiting is done here and not in accept, as the signals have to be let in at this point alone. EPOLLEXCLUSIVE wakes one of
 * the workers that share the socket; it does not block in accept should another one have been quicker.
 */
static int listen_begin(struct err *e)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLEXCLUSIVE };
	int flags = fcntl(LISTEN_FD, F_GETFL), ep;

	if (flags < 0 || fcntl(LISTEN_FD, F_SETFL, flags | O_NONBLOCK) != 0)
		return err_errno(e, "socket on descriptor 0");
	ep = epoll_create1(EPOLL_CLOEXEC);
	if (ep < 0)
		return err_errno(e, "epoll_create1");
	if (epoll_ctl(ep, EPOLL_CTL_ADD, LISTEN_FD, &event) != 0) {
		err_errno(e, "socket on descriptor 0");
		close(ep);
		return -1;
	}
	return ep;
}

static void set_alarm(int seconds)
{
	struct itimerval timer = { { seconds, 0 }, { seconds, 0 } };

	setitimer(ITIMER_REAL, &timer, NULL);
}

/* 1 a request, 0 none after all, -1 this socket will never give one. */
static int accept_request(FCGX_Request *fcgx, struct err *e)
{
	struct timeval stall = { STALL_S, 0 };
	int rc;

	/* libfcgi reads the head in there: the first alarm ends a read that hangs, a further one what an unlucky one missed. */
	set_alarm(STALL_S);
	rc = FCGX_Accept_r(fcgx);
	set_alarm(0);
	switch (-rc) {
	case 0:
		if (FCGX_GetError(fcgx->in)) { /* libfcgi takes a head that breaks off for a short one */
			FCGX_Free(fcgx, 1);
			return 0;
		}
		setsockopt(fcgx->ipcFd, SOL_SOCKET, SO_RCVTIMEO, &stall, sizeof stall);
		setsockopt(fcgx->ipcFd, SOL_SOCKET, SO_SNDTIMEO, &stall, sizeof stall);
		return 1;
	case EBADF:
	case EINVAL:
	case ENOTSOCK:
	case EOPNOTSUPP:
		errno = -rc;
		return err_errno(e, "accept");
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		log_line(LOG_LEVEL_ERROR, "accept: %s", strerror(-rc));
		sleep(1); /* it would be ready again at once */
		return 0;
	default: /* another worker was quicker, or the peer went away */
		return 0;
	}
}

static bool serve_connection(struct server *s, FCGX_Request *fcgx)
{
	struct request rq;
	struct err e = ERR_INIT;
	struct body_source body;
	struct fcgx_sink out;
	struct served served;
	int parsed = request_parse(&rq, fcgx->envp, &e);

	body_source_init(&body, fcgx->in, &rq);
	fcgx_sink_init(&out, fcgx->out);
	serve(s, &rq, parsed, &e, &body.source, &out.sink, &served);
	if (!served.broken)
		FCGX_Finish_r(fcgx);
	/*
	 * Without the end record the web server cuts the client's connection, too. A connection that was to be kept is closed
	 * as well: waiting on it, this worker would be lost to everybody else.
	 */
	FCGX_Free(fcgx, 1);
	return served.cut_off;
}

int worker_run(struct server *s, struct err *e)
{
	FCGX_Request fcgx;
	struct life life;
	sigset_t waiting;
	int ep = -1, rests = 0, rc = -1;

	if (FCGX_Init() != 0 || FCGX_InitRequest(&fcgx, LISTEN_FD, FCGI_FAIL_ACCEPT_ON_INTR) != 0)
		return err_set(e, ERR_INTERNAL, "libfcgi does not start");
	set_signals(&waiting); /* after FCGX_Init, which has handlers of its own */
	life_begin(&life);
	ep = listen_begin(e);
	if (ep < 0)
		goto out;
	while (!life_over(&life)) {
		struct epoll_event event;
		int n = epoll_pwait(ep, &event, 1, rests < RESTS || life.due ? REST_MS : -1, &waiting);

		if (asked_to_reopen) {
			asked_to_reopen = 0;
			log_reopen();
		}
		if (n < 0 && errno != EINTR) {
			err_errno(e, "epoll_pwait");
			goto out;
		}
		if (n == 1) {
			n = accept_request(&fcgx, e);
			if (n < 0)
				goto out;
			if (n == 1) {
				life_count(&life, serve_connection(s, &fcgx));
				rests = 0;
			}
		} else if (n == 0) {
			rests++;
		}
		if (n >= 0)
			server_rest(s);
	}
	rc = 0;
out:
	FCGX_Free(&fcgx, 1);
	if (ep >= 0)
		close(ep);
	if (life.statm >= 0)
		close(life.statm);
	return rc;
}
