/* The getters of json.h. */
#include "base/json.h"

bool json_has(struct json_object *o, const char *key, struct json_object **v)
{
	return json_object_object_get_ex(o, key, v);
}

bool json_is_int(struct json_object *v, int64_t lo, int64_t hi, int64_t *out)
{
	int64_t n;

	if (!json_object_is_type(v, json_type_int))
		return false;
	n = json_object_get_int64(v);
	if (n == INT64_MAX && json_object_get_uint64(v) > INT64_MAX)
		return false;
	if (n < lo || n > hi)
		return false;
	*out = n;
	return true;
}

/* Optional sign, digits, nothing else; within int64. */
static bool int_of_text(struct slice s, int64_t *out)
{
	bool minus = s.len && s.p[0] == '-';
	size_t i = s.len && (s.p[0] == '-' || s.p[0] == '+');
	uint64_t limit = minus ? (uint64_t)INT64_MAX + 1 : INT64_MAX, v = 0;

	if (i == s.len)
		return false;
	for (; i < s.len; i++) {
		unsigned d = (unsigned)(unsigned char)s.p[i] - '0';

		if (d > 9 || v > (limit - d) / 10)
			return false;
		v = v * 10 + d;
	}
	*out = minus ? (int64_t)(0 - v) : (int64_t)v;
	return true;
}

bool json_is_int_or_str(struct json_object *v, int64_t *out)
{
	struct slice s;

	if (json_is_str(v, &s))
		return int_of_text(s, out);
	return json_is_int(v, INT64_MIN, INT64_MAX, out);
}

bool json_is_bool(struct json_object *v, bool *out)
{
	if (!json_object_is_type(v, json_type_boolean))
		return false;
	*out = json_object_get_boolean(v);
	return true;
}

/* A text that reads as the number 0 or 1, written as JSON would or with leading zeros ("01", "1.0"). */
static bool zero_or_one(struct slice s, bool *out)
{
	char text[32], *end;
	double d;

	if (s.len == 0 || s.len >= sizeof text || strspn(memcpy(memset(text, 0, sizeof text), s.p, s.len), "0123456789+-.eE") != s.len)
		return false;
	d = strtod(text, &end);
	if (*end || (d != 0 && d != 1))
		return false;
	*out = d == 1;
	return true;
}

bool json_is_anybool(struct json_object *v, bool *out)
{
	struct slice s;
	double d;

	if (json_is_bool(v, out))
		return true;
	if (json_is_str(v, &s)) {
		if (s.len == 4 && strncasecmp(s.p, "true", 4) == 0)
			return *out = true;
		if (s.len == 5 && strncasecmp(s.p, "false", 5) == 0) {
			*out = false;
			return true;
		}
		return zero_or_one(s, out);
	}
	if (!json_object_is_type(v, json_type_int) && !json_object_is_type(v, json_type_double))
		return false;
	d = json_object_get_double(v);
	if (d != 0 && d != 1)
		return false;
	*out = d == 1;
	return true;
}

bool json_is_float(struct json_object *v, float *out)
{
	if (json_object_is_type(v, json_type_int)) {
		int64_t n = json_object_get_int64(v);

		*out = n == INT64_MAX ? (float)json_object_get_uint64(v) : (float)n;
		return true;
	}
	if (!json_object_is_type(v, json_type_double))
		return false;
	*out = (float)json_object_get_double(v);
	return true;
}

bool json_is_str(struct json_object *v, struct slice *out)
{
	if (!json_object_is_type(v, json_type_string))
		return false;
	*out = (struct slice){ json_object_get_string(v), (size_t)json_object_get_string_len(v) };
	return true;
}

bool json_is_array(struct json_object *v, size_t *len)
{
	if (!json_object_is_type(v, json_type_array))
		return false;
	*len = json_object_array_length(v);
	return true;
}

bool json_is_object(struct json_object *v)
{
	return v && json_object_is_type(v, json_type_object);
}

bool json_is_truncated(struct json_object *v, int64_t *out)
{
	double d;

	if (json_object_is_type(v, json_type_int)) {
		*out = json_object_get_int64(v); /* INT64_MAX for what is above */
		return true;
	}
	if (!json_object_is_type(v, json_type_double))
		return false;
	d = json_object_get_double(v);
	if (d >= 9223372036854775807.0)
		*out = INT64_MAX;
	else if (d <= -9223372036854775808.0)
		*out = INT64_MIN;
	else
		*out = (int64_t)d;
	return true;
}

struct json_object *json_at(struct json_object *array, size_t i)
{
	return json_object_array_get_idx(array, i);
}

static int need(struct json_object *o, const char *key, struct json_object **v, struct err *e)
{
	if (!json_has(o, key, v))
		return err_set(e, ERR_BAD_REQUEST, "key %s is missing", key);
	return 0;
}

int json_need_int(struct json_object *o, const char *key, int64_t lo, int64_t hi, int64_t *out, struct err *e)
{
	struct json_object *v;

	if (need(o, key, &v, e) != 0)
		return -1;
	if (!json_is_int(v, lo, hi, out))
		return err_set(e, ERR_BAD_REQUEST, "%s is not an integer in %lld..%lld", key, (long long)lo, (long long)hi);
	return 0;
}

int json_need_bool(struct json_object *o, const char *key, bool *out, struct err *e)
{
	struct json_object *v;

	if (need(o, key, &v, e) != 0)
		return -1;
	if (!json_is_bool(v, out))
		return err_set(e, ERR_BAD_REQUEST, "%s is neither true nor false", key);
	return 0;
}

int json_need_str(struct json_object *o, const char *key, struct slice *out, struct err *e)
{
	struct json_object *v;

	if (need(o, key, &v, e) != 0)
		return -1;
	if (!json_is_str(v, out))
		return err_set(e, ERR_BAD_REQUEST, "%s is not a string", key);
	return 0;
}

int json_need_array(struct json_object *o, const char *key, struct json_object **out, size_t *len, struct err *e)
{
	if (need(o, key, out, e) != 0)
		return -1;
	if (!json_is_array(*out, len))
		return err_set(e, ERR_BAD_REQUEST, "%s is not a list", key);
	return 0;
}

int json_need_object(struct json_object *o, const char *key, struct json_object **out, struct err *e)
{
	if (need(o, key, out, e) != 0)
		return -1;
	if (!json_is_object(*out))
		return err_set(e, ERR_BAD_REQUEST, "%s is not an object", key);
	return 0;
}
