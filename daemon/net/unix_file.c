/* SPDX-License-Identifier: MIT
 *
 * The file of a Unix socket. A lock on PATH.lock decides between brokers. It is taken
 * by flock, so that it dies with its holder, and its file is removed only by the
 * holder.
 */
#include "daemon/net/unix_file.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LOCK_TRIES 16

static struct sockaddr_un
unix_sockaddr(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	return sa;
}

static int
say_errno(const char *path, const char *what, char *err, size_t errlen)
{
	snprintf(err, errlen, "unix:%s: %s: %s", path, what, strerror(errno));
	return -1;
}

/* One try. 1: the file that was locked had just been removed by its holder. */
static int
lock_once(struct unix_file *file, char *err, size_t errlen)
{
	struct stat ours, there;
	int fd = open(file->lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0 && errno == ENOENT) {
		snprintf(err, errlen,
			 "unix:%s: the folder for the socket does not exist",
			 file->path);
		return -1;
	}
	if (fd < 0)
		return say_errno(file->lock_path, "cannot open the lock file", err,
				 errlen);
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		if (errno == EWOULDBLOCK)
			snprintf(err, errlen,
				 "unix:%s: another broker serves this socket (it holds "
				 "%s)",
				 file->path, file->lock_path);
		else
			say_errno(file->lock_path, "cannot lock", err, errlen);
		close(fd);
		return -1;
	}
	if (fstat(fd, &ours) != 0 || stat(file->lock_path, &there) != 0 ||
	    ours.st_dev != there.st_dev || ours.st_ino != there.st_ino) {
		close(fd);
		return 1;
	}
	file->lock_fd = fd;
	return 0;
}

static int
take_lock(struct unix_file *file, char *err, size_t errlen)
{
	for (int i = 0; i < LOCK_TRIES; i++) {
		int result = lock_once(file, err, errlen);
		if (result <= 0)
			return result;
	}
	snprintf(err, errlen, "unix:%s: other brokers come and go too fast",
		 file->path);
	return -1;
}

static void
drop_lock(struct unix_file *file)
{
	if (file->lock_fd < 0)
		return;
	unlink(file->lock_path);
	close(file->lock_fd);
	file->lock_fd = -1;
}

/* Only a refused connection proves that nobody is there. */
static bool
is_dead(const char *path)
{
	struct sockaddr_un sa = unix_sockaddr(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return false;
	bool dead = connect(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0 &&
		    errno == ECONNREFUSED;
	close(fd);
	return dead;
}

static int
remove_stale(const char *path, char *err, size_t errlen)
{
	struct stat st;

	if (lstat(path, &st) != 0)
		return errno == ENOENT ? 0
				       : say_errno(path, "cannot look", err, errlen);
	if (!S_ISSOCK(st.st_mode)) {
		snprintf(err, errlen, "unix:%s: there is a file that is no socket",
			 path);
		return -1;
	}
	if (!is_dead(path)) {
		snprintf(err, errlen, "unix:%s: another server answers there", path);
		return -1;
	}
	if (unlink(path) != 0 && errno != ENOENT)
		return say_errno(path, "cannot remove the old socket", err, errlen);
	return 0;
}

/* Nobody can connect before listen(), so mode and group are in force in time. */
static int
set_owner(const char *path, const struct config *config, char *err, size_t errlen)
{
	struct group *group;

	if (*config->socket_group) {
		group = getgrnam(config->socket_group);
		if (!group) {
			snprintf(err, errlen, "unix:%s: no such group: %s", path,
				 config->socket_group);
			return -1;
		}
		if (lchown(path, (uid_t)-1, group->gr_gid) != 0)
			return say_errno(path, "cannot set the group", err, errlen);
	}
	if (fchmodat(AT_FDCWD, path, config->socket_mode, AT_SYMLINK_NOFOLLOW) != 0)
		return say_errno(path, "cannot set the mode", err, errlen);
	return 0;
}

static int
bind_path(struct unix_file *file, int fd, const struct config *config, char *err,
	  size_t errlen)
{
	struct sockaddr_un sa = unix_sockaddr(file->path);
	struct stat st;
	mode_t before = umask(0777 & ~config->socket_mode);
	int result = bind(fd, (struct sockaddr *)&sa, sizeof(sa));

	umask(before);
	if (result != 0)
		return say_errno(file->path, "cannot bind", err, errlen);
	if (lstat(file->path, &st) != 0)
		return say_errno(file->path, "cannot look", err, errlen);
	file->dev = st.st_dev;
	file->ino = st.st_ino;
	if (set_owner(file->path, config, err, errlen) == 0)
		return 0;
	unlink(file->path);
	return -1;
}

int
unix_file_bind(struct unix_file *ret, int fd, const char *path,
	       const struct config *config, char *err, size_t errlen)
{
	struct unix_file file = {.lock_fd = -1};

	snprintf(file.path, sizeof(file.path), "%s", path);
	snprintf(file.lock_path, sizeof(file.lock_path), "%s.lock", path);
	if (take_lock(&file, err, errlen) != 0)
		return -1;
	if (remove_stale(path, err, errlen) != 0 ||
	    bind_path(&file, fd, config, err, errlen) != 0) {
		drop_lock(&file);
		return -1;
	}
	*ret = file;
	return 0;
}

void
unix_file_remove(struct unix_file *file)
{
	struct stat st;

	if (lstat(file->path, &st) == 0 && st.st_dev == file->dev &&
	    st.st_ino == file->ino)
		unlink(file->path);
	drop_lock(file);
}
