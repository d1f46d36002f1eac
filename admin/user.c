/* The noun `user`: its table, and the verbs that change no password. */
#include "admin/user.h"

#include <sysexits.h>

#include "admin/print.h"
#include "admin/secret.h"
#include "core/password.h"
#include "core/users.h"

int user_find(struct admin *a, const char *name, struct account *found)
{
	struct err e = ERR_INIT;
	int rc = admin_open(a);

	if (rc != 0)
		return rc;
	rc = accounts_find(a->server.accounts, slice_of(name), found, &e);
	if (rc < 0)
		return say_error(&e);
	if (rc == 0)
		return fail_with(EX_NOUSER, "there is no user \"%s\"; who there is: ankisync-admin user list", name);
	return 0;
}

int user_find_staying(struct admin *a, const char *name, struct account *found)
{
	int rc = user_find(a, name, found);

	if (rc == 0 && found->state == ACCOUNT_LEAVING)
		return fail_with(EX_NOUSER, "user \"%s\" is being deleted; to finish that: ankisync-admin user del %s", name, name);
	return rc;
}

int print_changed(struct admin *a, const struct args *args, const char *uid, const char *password)
{
	struct buf b = BUF_INIT(BUF_UNBOUNDED);
	struct account account;
	struct err e = ERR_INIT;
	int rc;

	if (!args->json)
		return 0;
	rc = accounts_find_uid(a->server.accounts, slice_of(uid), &account, &e);
	if (rc < 0)
		return say_error(&e);
	if (rc == 0)
		return fail_with(EX_NOUSER, "the user was deleted by somebody else at this moment");
	put_account(&b, &account, NULL);
	if (password)
		put_text(&b, "password", password);
	buf_putc(&b, '}');
	puts(buf_str(&b));
	secret_wipe(&b);
	return 0;
}

static int set_state(struct admin *a, const struct args *args, enum account_state state)
{
	struct account account;
	struct err e = ERR_INIT;
	int rc = user_find_staying(a, args->words[0], &account);

	if (rc != 0)
		return rc;
	if (users_set_state(&a->server, account.uid, state, &e) != 0)
		return say_error(&e);
	return print_changed(a, args, account.uid, NULL);
}

static int user_disable(struct admin *a, const struct args *args)
{
	return set_state(a, args, ACCOUNT_DISABLED);
}

static int user_enable(struct admin *a, const struct args *args)
{
	return set_state(a, args, ACCOUNT_ENABLED);
}

static int user_rename(struct admin *a, const struct args *args)
{
	const char *from = args->words[0], *to = args->words[1];
	struct account account;
	struct err e = ERR_INIT;
	int rc;

	if (account_name_check(slice_of(to), &e) != 0)
		return say_error(&e);
	rc = user_find_staying(a, from, &account);
	if (rc != 0)
		return rc;
	if (password_hash_has_name(account.hash))
		return fail_with(EX_UNAVAILABLE, "the password of \"%s\" comes from an older server, which hashed it together with the"
				 " name; set a new one first: ankisync-admin user passwd %s", from, from);
	if (accounts_rename(a->server.accounts, account.uid, slice_of(to), &e) != 0) {
		if (e.kind == ERR_CONFLICT)
			return fail_with(EX_CANTCREAT, "user \"%s\" exists; nothing was renamed", to);
		return say_error(&e);
	}
	if (account.has_origin)
		note("\"%s\" came from SYNC_USERn: change the name there too, or the next import-env adds that user again", from);
	return print_changed(a, args, account.uid, NULL);
}

enum { DEL_YES };
static const struct flag del_flags[] = {
	[DEL_YES] = { "--yes", NULL, "do not ask" },
	{ NULL },
};

static int user_del(struct admin *a, const struct args *args)
{
	const char *name = args->words[0];
	struct account account;
	struct err e = ERR_INIT;
	struct buf b = BUF_INIT(BUF_UNBOUNDED);
	char question[400];
	int rc = user_find(a, name, &account);

	if (rc != 0)
		return rc;
	if (!args->flags[DEL_YES]) {
		snprintf(question, sizeof question, "Delete user \"%s\" with the collection, its kept generations and all media?", name);
		rc = terminal_confirm(question);
		if (rc < 0)
			return fail_with(EX_USAGE, "there is no terminal to ask on; add --yes");
		if (rc == 0)
			return fail_with(EX_DATAERR, "nothing was deleted");
	}
	if (users_remove(&a->server, account.uid, &e) != 0)
		return say_error(&e);
	if (account.has_origin)
		note("\"%s\" came from SYNC_USERn: remove it there too, or the next import-env adds that user again", name);
	if (args->json) {
		put_account(&b, &account, "deleted");
		buf_putc(&b, '}');
		print_json(&b);
	}
	return 0;
}

const struct verb user_verbs[] = {
	{ "user", "add", "[NAME]", 0, 1, WORDS_ANY, user_add_flags,
	  "Add a user, or, without NAME, many: lines NAME:PASSWORD on standard input", user_add },
	{ "user", "passwd", "NAME", 1, 1, WORDS_USERS, user_passwd_flags,
	  "Set a new password; all devices must log in again", user_passwd },
	{ "user", "list", "", 0, 0, WORDS_ANY, NULL, "List all users", user_list },
	{ "user", "show", "NAME", 1, 1, WORDS_USERS, NULL, "Show a user's folder, devices and collection", user_show },
	{ "user", "disable", "NAME", 1, 1, WORDS_USERS, NULL, "Lock a user out; nothing is deleted", user_disable },
	{ "user", "enable", "NAME", 1, 1, WORDS_USERS, NULL, "Let a disabled user log in again", user_enable },
	{ "user", "rename", "OLD NEW", 2, 2, WORDS_USERS, NULL, "Give a user another name; devices stay logged in", user_rename },
	{ "user", "quota", "NAME [SIZE]", 1, 2, WORDS_USERS, NULL,
	  "Show or set how much a user may store: 500M, 2G, none", user_quota },
	{ "user", "del", "NAME", 1, 1, WORDS_USERS, del_flags, "Delete a user with everything that is stored", user_del },
	{ "user", "import-env", "", 0, 0, WORDS_ANY, NULL,
	  "Take over SYNC_USER1, SYNC_USER2, … from the environment, as the official server does", user_import_env },
	{ NULL },
};
