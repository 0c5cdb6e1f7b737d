/* access.c: see access.h. */
#include "daemon/conf/access.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define GROUPS_USUAL 64 /* supplementary groups of a peer; more of them take memory */

static bool
is_number(const char *word, unsigned *ret)
{
	char *end;
	unsigned long v;

	if (*word < '0' || *word > '9')
		return false;
	errno = 0;
	v = strtoul(word, &end, 10);
	if (errno != 0 || *end != '\0' || v > UINT_MAX)
		return false;
	*ret = (unsigned)v;
	return true;
}

static bool
resolve_word(const char *word, struct access_rule *ret)
{
	const struct passwd *pw;
	const struct group *gr;

	if (strcmp(word, "*") == 0) {
		ret->kind = ACCESS_ANYBODY;
		return true;
	}
	if (word[0] == '@') {
		ret->kind = ACCESS_GID;
		if (is_number(word + 1, &ret->id))
			return true;
		gr = getgrnam(word + 1);
		ret->id = gr != NULL ? gr->gr_gid : 0;
		return gr != NULL;
	}
	ret->kind = ACCESS_UID;
	if (strcmp(word, "self") == 0) {
		ret->id = geteuid();
		return true;
	}
	if (strcmp(word, "root") == 0) {
		ret->id = 0;
		return true;
	}
	if (is_number(word, &ret->id))
		return true;
	pw = getpwnam(word);
	ret->id = pw != NULL ? pw->pw_uid : 0;
	return pw != NULL;
}

int
access_resolve(const struct conf *conf, struct access *ret, char *error)
{
	const char *const lists[3] = {conf->access_read, conf->access_write, conf->access_admin};
	static const enum conf_row rows[3] = {
	    CONF_ROW_access_read, CONF_ROW_access_write, CONF_ROW_access_admin};

	memset(ret, 0, sizeof(*ret));
	for (unsigned level = 0; level < 3; level++) {
		const char *at = lists[level];

		while (*(at += strspn(at, ", \t")) != '\0') {
			size_t len = strcspn(at, ", \t");
			char word[64];

			snprintf(word, sizeof(word), "%.*s", (int)len, at);
			at += len;
			if (ret->n_rules[level] == ACCESS_RULES_MAX) {
				snprintf(error, CONF_ERROR_BYTES, "%s has more than %d words",
				    conf_row_name(rows[level]), ACCESS_RULES_MAX);
				return -EINVAL;
			}
			if (!resolve_word(word, &ret->rule[level][ret->n_rules[level]])) {
				snprintf(error, CONF_ERROR_BYTES,
				    "%s: \"%s\" is no user or group of this host; allowed: users, "
				    "uids, @groups, self, *",
				    conf_row_name(rows[level]), word);
				return -EINVAL;
			}
			ret->n_rules[level]++;
		}
	}
	return 0;
}

/* Finds the peer's supplementary groups, in `usual` or in *ret_more, which the
 * caller frees. NULL: there is no memory for them. */
static const gid_t *
peer_groups(int fd, gid_t usual[GROUPS_USUAL], gid_t **ret_more, size_t *ret_n)
{
	socklen_t len = GROUPS_USUAL * sizeof(gid_t);
	gid_t *groups = usual;
	int r = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len);

	*ret_more = NULL;
	/* len says how many there are; a peer's groups don't change any more */
	if (r != 0 && errno == ERANGE) {
		*ret_more = groups = malloc(len);
		r = groups != NULL ? getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) : -1;
	}
	*ret_n = r == 0 ? len / sizeof(gid_t) : 0;
	return groups;
}

static bool
access_matches(
    const struct access_rule *r, const struct ucred *cred, const gid_t *groups, size_t n_groups)
{
	if (r->kind == ACCESS_ANYBODY || (r->kind == ACCESS_UID && r->id == cred->uid))
		return true;
	if (r->kind != ACCESS_GID)
		return false;
	for (size_t g = 0; g < n_groups; g++)
		if (groups[g] == r->id)
			return true;
	return r->id == cred->gid;
}

bool
access_of_peer(const struct access *access, int fd, enum wire_access *ret_level, pid_t *ret_pid,
    uid_t *ret_uid, gid_t *ret_gid)
{
	struct ucred cred = {.pid = 0, .uid = (uid_t)-1, .gid = (gid_t)-1};
	socklen_t len = sizeof(cred);
	gid_t usual[GROUPS_USUAL], *more;
	size_t n_groups;
	bool any = false;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0)
		return false;
	const gid_t *groups = peer_groups(fd, usual, &more, &n_groups);
	*ret_pid = cred.pid;
	*ret_uid = cred.uid;
	*ret_gid = cred.gid;
	for (unsigned level = 0; level < 3; level++) {
		for (unsigned i = 0; i < access->n_rules[level]; i++) {
			if (access_matches(&access->rule[level][i], &cred, groups, n_groups)) {
				*ret_level = (enum wire_access)level;
				any = true;
			}
		}
	}
	free(more);
	return any;
}
