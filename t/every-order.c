/*
 * The order of the calls of one delivery: content first, then the names, then
 * the reply; and what it takes to bring a name to the disk.
 */
#include <stdlib.h>
#include <string.h>

#include "every.h"

/* File systems: their type, and what brings a name to the disk. */
static const struct fs {
	const char *name, *type;	/* as FAIL_FS has it */
	int file, dir;
} kinds[] = {
	{ "ext4", "0xef53", 0, 1 },
	{ "btrfs", "0x9123683e", 1, 0 },
	{ "other", "0x794c7630", 1, 1 },	/* overlayfs, say */
};

static const struct fs *fs = kinds;

int
order_choose_fs(const char *name)
{
	const struct fs *last = kinds + sizeof(kinds) / sizeof(*kinds) - 1;

	for (fs = kinds; strcmp(fs->name, name) != 0; fs++)
		if (fs == last)
			return 0;
	setenv("FAIL_FS", fs->type, 1);
	return 1;
}

/* Does the set hold it? */
static int
holds(const unsigned long long *set, int n, unsigned long long inode)
{
	while (n > 0)
		if (set[--n] == inode)
			return 1;
	return 0;
}

/* A name that a file was given, and whether it is on the disk. */
struct name {
	unsigned long long file, dir;
	int file_synced, dir_synced;
};

/* An fsync is for the names that were given before it. */
static void
note_sync(struct name *given, int n, const struct fail_event *e)
{
	int i;

	for (i = 0; i < n; i++) {
		if (e->kind == 'f' && given[i].file == e->inode)
			given[i].file_synced = 1;
		if (e->kind == 'd' && given[i].dir == e->inode)
			given[i].dir_synced = 1;
	}
}

static int
are_synced(const struct name *given, int n)
{
	while (n-- > 0)
		if ((fs->file && !given[n].file_synced) ||
		    (fs->dir && !given[n].dir_synced))
			return 0;
	return 1;
}

/* What is known of a delivery as its calls go by. */
struct view {
	unsigned long long files[USERS_MAX * 2];	/* fsynced, as inodes */
	int n_files;
	struct name given[USERS_MAX];
	int n_given, copies;
	int links;		/* all copies are one file */
	unsigned long long made[USERS_MAX * 2];	/* directories that got others
						   in them since their fsync */
	int n_made;
};

static int
is_written(const struct fail_event *e)
{
	return strcmp(e->name, "write") == 0 || strcmp(e->name, "copy") == 0;
}

static void
note_directories(struct view *v, const struct fail_event *e)
{
	int i;

	if (strcmp(e->name, "mkdir") == 0 && v->n_made < USERS_MAX * 2)
		v->made[v->n_made++] = e->inode;
	for (i = 0; strcmp(e->name, "fsync") == 0 && i < v->n_made; i++)
		if (v->made[i] == e->inode)
			v->made[i--] = v->made[--v->n_made];
}

static const char *
look(struct view *v, const struct fail_event *e)
{
	const int fsyncs = strcmp(e->name, "fsync") == 0;

	note_directories(v, e);
	if (fsyncs)
		note_sync(v->given, v->n_given, e);
	if (fsyncs && e->kind == 'f' && !holds(v->files, v->n_files, e->inode))
		v->files[v->n_files++] = e->inode;
	if (e->kind == 'f' && is_written(e) &&
	    holds(v->files, v->n_files, e->inode))
		return "a file is written to behind its fsync";
	if (e->kind == 's' && is_written(e) && v->n_files > 0 &&
	    (v->n_given < v->copies || !are_synced(v->given, v->n_given)))
		return "a reply before all is on the disk";
	if (strcmp(e->name, "rename") != 0)
		return NULL;
	if (v->n_made > 0)
		return "a name in a directory that is not on the disk";
	if (v->n_given < v->copies)
		v->given[v->n_given++] = (struct name){ .file = e->named,
		    .dir = e->inode };
	/* what copies are made of need not be on the disk itself */
	return v->n_files == (v->links ? 1 : v->copies) &&
	    holds(v->files, v->n_files, e->named) ? NULL :
	    "a name before all is on the disk";
}

void
order_check(const struct server *server, void (*blame)(const char *))
{
	const struct scenario *s = server->scenario;
	struct view v = {
		.copies = s->own ? s->recipients : 1,
		.links = s->options[0] &&
		    strcmp(s->options[0], "--hardlink") == 0,
	};
	const char *what;
	long i;

	for (i = 0; i < server->control->n_events; i++) {
		what = look(&v, &server->control->events[i]);
		if (what)
			blame(what);
	}
	if (v.n_files == 0 || v.n_given != v.copies ||
	    !are_synced(v.given, v.n_given))
		blame("250, and not all is on the disk");
}
