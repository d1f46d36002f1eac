/*
 * See day.h. Offsets are minutes west of UTC. Times come from a client's file and may be anything: sums are made in 128
 * bits, and days are cut to 32 bits as the official server cuts them.
 */
#include "format/day.h"

#include "base/json.h"

typedef __int128 wide;

enum { DAY_S = 86400, HOUR_S = 3600, DEFAULT_ROLLOVER = 4, LAST_HOUR = 23 };

/* A config value that is a JSON integer within the limits. */
static bool config_int(struct slice value, int64_t lo, int64_t hi, int64_t *out)
{
	struct json_object *o;
	bool ok;

	if (!value.p || json_parse(value, &JSON_LIMITS_SMALL, &o, NULL) != 0)
		return false;
	ok = json_is_int(o, lo, hi, out);
	json_object_put(o);
	return ok;
}

/* A time zone less than a day away, in seconds west. */
static bool config_zone(struct slice value, int64_t *west_s)
{
	int64_t minutes;

	if (!config_int(value, -DAY_S / 60 + 1, DAY_S / 60 - 1, &minutes))
		return false;
	*west_s = minutes * 60;
	return true;
}

static wide days_before(wide t)
{
	return t / DAY_S - (t % DAY_S < 0);
}

/* Seconds since midnight. */
static int64_t time_of_day(wide t)
{
	return (int64_t)(t - days_before(t) * DAY_S);
}

static uint32_t day_number(int64_t now_s, int64_t crt_s, const struct day_config *c, int64_t rollover)
{
	int64_t local = 0, created;
	wide days;

	config_zone(c->local_offset, &local);
	if (!config_zone(c->creation_offset, &created)) {
		wide first = days_before((wide)crt_s - local) * DAY_S + rollover * HOUR_S + local;

		return (uint32_t)((now_s - first) / DAY_S);
	}
	days = days_before((wide)now_s - local) - days_before((wide)crt_s - created);
	if (time_of_day((wide)now_s - local) < rollover * HOUR_S)
		days--;
	return days < 0 ? 0 : (uint32_t)days;
}

void day_plan(int64_t now_s, int64_t crt_s, const struct day_config *c, struct day_plan *plan)
{
	int64_t version, rollover, last;

	*plan = (struct day_plan){ false };
	if (!config_int(c->sched_ver, 2, 2, &version)) {
		plan->today = (uint32_t)(((wide)now_s - crt_s) / DAY_S);
	} else {
		plan->write_rollover = !config_int(c->rollover, 0, UINT8_MAX, &rollover);
		if (plan->write_rollover)
			rollover = DEFAULT_ROLLOVER;
		plan->today = day_number(now_s, crt_s, c, rollover < LAST_HOUR ? rollover : LAST_HOUR);
	}
	if (!config_int(c->last_unburied, 0, UINT32_MAX, &last))
		last = 0;
	/* A date far ahead comes from a clock that was wrong. */
	plan->unbury = last < plan->today || plan->today + 7 < last;
}

int day_restored_queue(int64_t type, int64_t due)
{
	switch (type) {
	case 0:
		return 0;
	case 2:
		return 2;
	default:
		/* A time within the day, or a number of days. */
		return due > 1000000000 ? 1 : 3;
	}
}
