// A script of another user is started through this program itself: executed again as
//
//     fairlead-run-as UID GID GROUP[,GROUP…]|- PATH ARGV0 [ARGUMENT…]
//
// it changes its credentials and executes PATH, before main. Changing them between fork and exec
// of a process with threads hangs when another thread is just being created: the C library waits
// in the child for threads that only the parent has. Nothing is gained by calling it from
// outside: it does what its caller may do.
#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAXIMUM_GROUPS = 1024, CANNOT_BECOME = 126, CANNOT_EXECUTE = 127 };

static long number(const char **text) {
  char *end;
  errno = 0;
  long value = strtol(*text, &end, 10);
  if (end == *text || errno != 0 || value < 0) _exit(CANNOT_BECOME);
  *text = end;
  return value;
}

__attribute__((constructor)) static void run_as(int argc, char **argv, char **environment) {
  if (argc < 6 || strcmp(argv[0], "fairlead-run-as") != 0) return;
  static gid_t groups[MAXIMUM_GROUPS];
  const char *text = argv[1];
  uid_t user = (uid_t)number(&text);
  text = argv[2];
  gid_t group = (gid_t)number(&text);
  size_t count = 0;
  for (text = argv[3]; *text != '-' && count < MAXIMUM_GROUPS;) {
    groups[count++] = (gid_t)number(&text);
    if (*text++ != ',') break;
  }
  if (setgroups(count, groups) != 0 || setgid(group) != 0 || setuid(user) != 0) {
    _exit(CANNOT_BECOME);
  }
  char *path = argv[4];
  char **arguments = argv + 5;
  execve(path, arguments, environment);
  if (errno == ENOEXEC) {
    // A text without `#!`: execvp(3) gives it to the shell, and so does keepalived.
    argv[3] = "sh";
    memmove(argv + 5, argv + 6, sizeof *argv * (size_t)(argc - 5));
    execve("/bin/sh", argv + 3, environment);
  }
  _exit(CANNOT_EXECUTE);
}
