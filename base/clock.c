/* See clock.h. */
#include "base/clock.h"

static int64_t frozen_ms;

static int64_t read_ms(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t clock_now_ms(void)
{
	return frozen_ms ? frozen_ms : read_ms(CLOCK_REALTIME);
}

int64_t clock_now_s(void)
{
	return clock_now_ms() / 1000;
}

int64_t clock_mono_ms(void)
{
	return read_ms(CLOCK_MONOTONIC);
}

void clock_freeze_ms(int64_t unix_ms)
{
	frozen_ms = unix_ms;
}
