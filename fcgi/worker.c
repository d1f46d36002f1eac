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
#include "fcgi/confine.h"
#include "fcgi/peers.h"
#include "fcgi/records.h"
#include "fcgi/request.h"
#include "fcgi/serve.h"

enum {
	LISTEN_FD = 0,
	STALL_S = 30,                /* a peer that sends or takes nothing for so long is dropped */
	REST_MS = 10000,             /* between two looks at what can be closed, while idle */
	RESTS = 12,                  /* then there is nothing left to close */
	LEAVE_ABOVE_BYTES = 256 << 20,
};

/* The tests build a worker with a shorter life. */
#ifndef LEAVE_AFTER_REQUESTS
#define LEAVE_AFTER_REQUESTS 100000
#endif
#ifndef LIVE_AT_LEAST_MS
#define LIVE_AT_LEAST_MS 30000
#endif

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

/* epoll_pwait lets signals in only when there is nothing to do: a busy worker would never hear of them. */
static void hear_signals(const sigset_t *waiting)
{
	sigset_t blocked;

	sigprocmask(SIG_SETMASK, waiting, &blocked);
	sigprocmask(SIG_SETMASK, &blocked, NULL);
	if (asked_to_reopen) {
		asked_to_reopen = 0;
		log_reopen();
	}
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

/* Also while the signals are shut out. */
static bool life_over(const struct life *l)
{
	sigset_t pending;

	sigpending(&pending);
	return asked_to_end || sigismember(&pending, SIGTERM) || sigismember(&pending, SIGINT) || sigismember(&pending, SIGUSR1) ||
	       (l->due && clock_mono_ms() - l->start_ms >= LIVE_AT_LEAST_MS);
}

/* --- connections --- */

/*
 * A web server may want to keep its connections (FCGI_KEEP_CONN). Closing one against its will would cost it a request now
 * and then; waiting on a single one would lose this worker to everybody else. So a few idle ones are watched beside the
 * listening socket. (A request on one of them still waits for the request at hand, while another worker may be free: the
 * shipped configurations do not keep connections.)
 */
enum { KEPT_MAX = 16 };

struct pool {
	int ep;
	bool shut; /* takes no new connection */
	FCGX_Request slots[KEPT_MAX + 1];
};

/*
 * Waiting is done here and not in accept, as the signals have to be let in at this point alone. EPOLLEXCLUSIVE wakes one of
 * the workers that share the socket; it does not block in accept should another one have been quicker.
 */
static int pool_open(struct pool *p, struct err *e)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLEXCLUSIVE };
	int flags = fcntl(LISTEN_FD, F_GETFL);

	p->ep = -1;
	p->shut = false;
	for (size_t i = 0; i <= KEPT_MAX; i++)
		FCGX_InitRequest(&p->slots[i], LISTEN_FD, FCGI_FAIL_ACCEPT_ON_INTR);
	if (flags < 0 || fcntl(LISTEN_FD, F_SETFL, flags | O_NONBLOCK) != 0)
		return err_errno(e, "socket on descriptor 0");
	p->ep = epoll_create1(EPOLL_CLOEXEC);
	if (p->ep < 0)
		return err_errno(e, "epoll_create1");
	if (epoll_ctl(p->ep, EPOLL_CTL_ADD, LISTEN_FD, &event) != 0)
		return err_errno(e, "socket on descriptor 0");
	return 0;
}

/* Whoever connects from now on reaches another worker, or is told that this one is gone (mod_fcgid has a socket for each). */
static void pool_shut(struct pool *p)
{
	int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (nothing >= 0) {
		dup2(nothing, LISTEN_FD);
		close(nothing);
	}
	p->shut = true;
}

static void pool_close(struct pool *p)
{
	pool_shut(p);
	for (size_t i = 0; i <= KEPT_MAX; i++)
		FCGX_Free(&p->slots[i], 1);
	if (p->ep >= 0)
		close(p->ep);
}

/* A slot without a connection, or NULL; at least one is free whenever the worker waits. */
static FCGX_Request *pool_free_slot(struct pool *p)
{
	for (size_t i = 0; i <= KEPT_MAX; i++) {
		if (p->slots[i].ipcFd < 0)
			return &p->slots[i];
	}
	return NULL;
}

/* The slot with something to read, or a free one for a new connection; NULL: nothing came within `ms` (-1: for ever). */
static FCGX_Request *pool_wait(struct pool *p, int ms, const sigset_t *waiting)
{
	struct epoll_event event;
	FCGX_Request *slot;

	if (epoll_pwait(p->ep, &event, 1, ms, waiting) != 1)
		return NULL;
	slot = event.data.ptr;
	if (!slot)
		return pool_free_slot(p);
	epoll_ctl(p->ep, EPOLL_CTL_DEL, slot->ipcFd, NULL);
	return slot;
}

/* After the end of a request: watch the connection if it is still there. */
static void pool_keep(struct pool *p, FCGX_Request *slot)
{
	struct epoll_event event = { .events = EPOLLIN, .data = { .ptr = slot } };

	if (slot->ipcFd >= 0 &&
	    (!pool_free_slot(p) || epoll_ctl(p->ep, EPOLL_CTL_ADD, slot->ipcFd, &event) != 0))
		FCGX_Free(slot, 1);
}

static void set_alarm(int seconds)
{
	struct itimerval timer = { { seconds, 0 }, { seconds, 0 } };

	setitimer(ITIMER_REAL, &timer, NULL);
}

/* 1 a request, 0 none after all, -1 this socket will never give one. */
static int accept_request(FCGX_Request *fcgx, const struct peers *peers, struct err *e)
{
	struct timeval stall = { STALL_S, 0 };
	int rc;

	/* libfcgi reads the head in there: the first alarm ends a read that hangs, a further one what an unlucky one missed. */
	set_alarm(STALL_S);
	rc = FCGX_Accept_r(fcgx);
	set_alarm(0);
	switch (-rc) {
	case 0:
		/* libfcgi takes a head that breaks off for a short one. */
		if (FCGX_GetError(fcgx->in) || !peers_allow(peers, fcgx->ipcFd)) {
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

/*
 * A reply that stopped half-way must not look complete. nginx takes a connection without an end record for a complete reply;
 * a record of no known version makes every web server cut the client's connection.
 */
static void break_off(FCGX_Request *fcgx)
{
	static const char no_record[8];
	ssize_t put = write(fcgx->ipcFd, no_record, sizeof no_record);

	(void)put; /* gone already: just as well */
	FCGX_Free(fcgx, 1);
}

/*
 * A connection can be kept only when nothing of the body is left in it. What a refused request left unread is read here, if
 * it is short and there already.
 */
static void read_rest(FCGX_Request *fcgx, struct body_source *body)
{
	struct timeval soon = { 0, 50000 };
	size_t room = 256 << 10;
	char piece[8192];
	ssize_t got = 1;

	if (!fcgx->keepConnection || body->ended)
		return;
	setsockopt(fcgx->ipcFd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon);
	while (got > 0 && room > sizeof piece) {
		got = body->source.read(&body->source, piece, sizeof piece, NULL);
		room -= sizeof piece;
	}
}

static void serve_request(struct server *s, struct pool *p, struct life *life, FCGX_Request *fcgx)
{
	struct request rq;
	struct err e = ERR_INIT;
	struct body_source body;
	struct record_sink out;
	struct served served;
	int parsed = request_parse(&rq, fcgx->envp, &e);

	body_source_init(&body, fcgx->in, &rq);
	record_sink_init(&out, fcgx);
	serve(s, &rq, parsed, &e, &body.source, &out.sink, &served);
	life_count(life, served.cut_off);
	if (served.broken) {
		break_off(fcgx);
		return;
	}
	/* Before the end goes out, as the next request may come right behind it. */
	if (!body.ended && record_sink_flush(&out, NULL) == 0)
		read_rest(fcgx, &body);
	if (life_over(life))
		pool_shut(p);
	if (record_sink_end(&out, NULL) != 0) { /* half a record may be out: nothing can follow it */
		FCGX_Free(fcgx, 1);
		return;
	}
	if (!body.ended) { /* the rest of the body would be taken for the next request; libfcgi waits for the other side to close */
		FCGX_Free(fcgx, 1);
		return;
	}
	FCGX_Free(fcgx, 0);
	/* Nothing that was sent to us is left unread, so there is nothing to wait for. */
	if (!fcgx->keepConnection) {
		close(fcgx->ipcFd);
		fcgx->ipcFd = -1;
	}
	pool_keep(p, fcgx);
}

int worker_run(struct server *s, struct err *e)
{
	struct peers peers;
	struct pool pool;
	struct life life;
	sigset_t waiting;
	int rests = 0, got = 0;

	if (FCGX_Init() != 0)
		return err_set(e, ERR_INTERNAL, "libfcgi does not start");
	set_signals(&waiting); /* after FCGX_Init, which has handlers of its own */
	life_begin(&life);
	if (pool_open(&pool, e) != 0 || peers_load(&peers, s->config->web_users, e) != 0)
		got = -1;
	else
		confine(s);
	while (got >= 0) {
		FCGX_Request *fcgx;
		bool leaving;

		hear_signals(&waiting);
		/*
		 * The next connection may be waiting already, and for nobody else. So the end comes within a request, and between
		 * two of them only when nobody has asked for a while, or by a signal.
		 */
		leaving = pool.shut || asked_to_end || (rests && life_over(&life));
		fcgx = pool.shut ? NULL : pool_wait(&pool, leaving ? 0 : rests < RESTS || life.due ? REST_MS : -1, &waiting);
		if (leaving && !fcgx)
			break;
		got = fcgx ? accept_request(fcgx, &peers, e) : 0;
		if (got > 0)
			serve_request(s, &pool, &life, fcgx);
		rests = got > 0 ? 0 : rests + 1;
		server_rest(s);
	}
	pool_close(&pool);
	if (life.statm >= 0)
		close(life.statm);
	return got < 0 ? -1 : 0;
}
