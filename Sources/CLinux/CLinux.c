#define _GNU_SOURCE
#include "CLinux.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

_Static_assert(sizeof(struct sockaddr_un) <= sizeof(((struct fl_sockaddr *)0)->storage),
               "fl_sockaddr holds every address family");

// Runs a call until it is not interrupted by a signal; the value is the result or -errno.
#define RETRY(type, call)                 \
  do {                                    \
    type result_;                         \
    do                                    \
      result_ = (call);                   \
    while (result_ < 0 && errno == EINTR); \
    return result_ < 0 ? -errno : result_; \
  } while (0)

static uint64_t big_endian_64(const uint8_t *bytes) {
  uint64_t value = 0;
  for (int i = 0; i < 8; i++) value = value << 8 | bytes[i];
  return value;
}

static void store_big_endian_64(uint8_t *bytes, uint64_t value) {
  for (int i = 7; i >= 0; i--) {
    bytes[i] = (uint8_t)value;
    value >>= 8;
  }
}

static void endpoint_from(const struct sockaddr *address, struct fl_endpoint *out) {
  memset(out, 0, sizeof *out);
  if (address->sa_family == AF_INET) {
    const struct sockaddr_in *in = (const struct sockaddr_in *)address;
    out->family = 4;
    out->port = ntohs(in->sin_port);
    out->low = ntohl(in->sin_addr.s_addr);
  } else if (address->sa_family == AF_INET6) {
    const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)address;
    out->family = 6;
    out->port = ntohs(in->sin6_port);
    out->scope = in->sin6_scope_id;
    out->high = big_endian_64(in->sin6_addr.s6_addr);
    out->low = big_endian_64(in->sin6_addr.s6_addr + 8);
    // An IPv4 client of a dual-stack listener is an IPv4 client.
    if (out->high == 0 && out->low >> 32 == 0xffff) {
      out->family = 4;
      out->scope = 0;
      out->low &= 0xffffffffu;
    }
  }
}

int fl_sockaddr_ip(struct fl_sockaddr *out, const struct fl_endpoint *from) {
  memset(out, 0, sizeof *out);
  if (from->family == 4) {
    struct sockaddr_in *in = (struct sockaddr_in *)out->storage;
    in->sin_family = AF_INET;
    in->sin_port = htons(from->port);
    in->sin_addr.s_addr = htonl((uint32_t)from->low);
    out->length = sizeof *in;
    out->family = AF_INET;
    return 0;
  }
  if (from->family == 6) {
    struct sockaddr_in6 *in = (struct sockaddr_in6 *)out->storage;
    in->sin6_family = AF_INET6;
    in->sin6_port = htons(from->port);
    in->sin6_scope_id = from->scope;
    store_big_endian_64(in->sin6_addr.s6_addr, from->high);
    store_big_endian_64(in->sin6_addr.s6_addr + 8, from->low);
    out->length = sizeof *in;
    out->family = AF_INET6;
    return 0;
  }
  return -EAFNOSUPPORT;
}

int fl_sockaddr_unix(struct fl_sockaddr *out, const char *path, size_t length, int abstract) {
  memset(out, 0, sizeof *out);
  struct sockaddr_un *un = (struct sockaddr_un *)out->storage;
  size_t room = sizeof un->sun_path - 1;
  if (length == 0 || length > room) return -ENAMETOOLONG;
  un->sun_family = AF_UNIX;
  memcpy(un->sun_path + (abstract ? 1 : 0), path, length);
  out->family = AF_UNIX;
  out->length = (uint32_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
  return 0;
}

int fl_epoll_create(void) { RETRY(int, epoll_create1(EPOLL_CLOEXEC)); }

int fl_epoll_control(int epoll, int operation, int fd, uint32_t events, uint64_t cookie) {
  struct epoll_event event = {.events = events, .data.u64 = cookie};
  return epoll_ctl(epoll, operation, fd, &event) < 0 ? -errno : 0;
}

// An interrupted wait is an empty one: the caller looks at its clock and waits again.
int fl_epoll_wait(int epoll, struct epoll_event *events, int capacity, int timeout_ms) {
  int count = (int)syscall(SYS_epoll_pwait, epoll, events, capacity, timeout_ms, NULL, 0);
  if (count < 0) return errno == EINTR ? 0 : -errno;
  return count;
}

int fl_socket(int family, int type) {
  RETRY(int, socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

int fl_bind(int fd, const struct fl_sockaddr *address) {
  RETRY(int, bind(fd, (const struct sockaddr *)address->storage, address->length));
}

int fl_listen(int fd, int backlog) { RETRY(int, listen(fd, backlog)); }

// An interrupted connect(2) goes on in the background, as an unfinished one does.
int fl_connect(int fd, const struct fl_sockaddr *address) {
  int result = (int)syscall(SYS_connect, fd, address->storage, address->length);
  if (result < 0) return errno == EINTR ? -EINPROGRESS : -errno;
  return 0;
}

int fl_accept(int fd, struct fl_endpoint *peer) {
  struct sockaddr_storage address;
  int result;
  do {
    socklen_t length = sizeof address;
    result = (int)syscall(SYS_accept4, fd, &address, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
  } while (result < 0 && errno == EINTR);
  if (result < 0) return -errno;
  endpoint_from((struct sockaddr *)&address, peer);
  return result;
}

int fl_local_endpoint(int fd, struct fl_endpoint *out) {
  struct sockaddr_storage address = {0};
  socklen_t length = sizeof address;
  if (getsockname(fd, (struct sockaddr *)&address, &length) < 0) return -errno;
  endpoint_from((struct sockaddr *)&address, out);
  return 0;
}

int fl_peer_endpoint(int fd, struct fl_endpoint *out) {
  struct sockaddr_storage address = {0};
  socklen_t length = sizeof address;
  if (getpeername(fd, (struct sockaddr *)&address, &length) < 0) return -errno;
  endpoint_from((struct sockaddr *)&address, out);
  return 0;
}

int fl_set_option(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof value) < 0 ? -errno : 0;
}

int fl_get_option(int fd, int level, int name, int *value) {
  socklen_t length = sizeof *value;
  return getsockopt(fd, level, name, value, &length) < 0 ? -errno : 0;
}

int fl_set_reset_on_close(int fd) {
  struct linger linger = {.l_onoff = 1, .l_linger = 0};
  return setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger) < 0 ? -errno : 0;
}

int fl_bind_to_device(int fd, const char *name) {
  return setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, (socklen_t)strlen(name) + 1) < 0
             ? -errno
             : 0;
}

int fl_shutdown_write(int fd) { return shutdown(fd, SHUT_WR) < 0 ? -errno : 0; }

// close(2) is never retried: Linux has released the descriptor even when it says EINTR.
int fl_close(int fd) { return syscall(SYS_close, fd) < 0 && errno != EINTR ? -errno : 0; }

// The calls below are made for every piece of data. glibc's recv(3) and the like are points where
// a thread may be cancelled, which costs two atomic operations a call in a program with threads;
// nobody cancels our threads, so syscall(2) is called instead.
long fl_receive(int fd, void *bytes, size_t count) {
  RETRY(long, syscall(SYS_recvfrom, fd, bytes, count, MSG_DONTWAIT, NULL, NULL));
}

long fl_peek(int fd, void *bytes, size_t count) {
  RETRY(long, recv(fd, bytes, count, MSG_PEEK | MSG_DONTWAIT));
}

// TCP gives bytes up without copying them anywhere when they are truncated to nothing.
long fl_discard(int fd, size_t count) {
  RETRY(long, recv(fd, NULL, count, MSG_TRUNC | MSG_DONTWAIT));
}

long fl_send(int fd, const void *bytes, size_t count) {
  RETRY(long, syscall(SYS_sendto, fd, bytes, count, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0));
}

// The last bytes before shutdown(2) wait for it, so that the FIN travels in their packet.
long fl_send_before_end(int fd, const void *bytes, size_t count) {
  RETRY(long, syscall(SYS_sendto, fd, bytes, count, MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE, NULL,
                      0));
}

long fl_send_to(int fd, const void *bytes, size_t count, const struct fl_sockaddr *address) {
  RETRY(long, sendto(fd, bytes, count, MSG_DONTWAIT | MSG_NOSIGNAL,
                     (const struct sockaddr *)address->storage, address->length));
}

long fl_write(int fd, const void *bytes, size_t count) { RETRY(long, write(fd, bytes, count)); }

long fl_splice_in(int socket, int pipe, size_t count) {
  RETRY(long, syscall(SYS_splice, socket, NULL, pipe, NULL, count,
                      SPLICE_F_MOVE | SPLICE_F_NONBLOCK));
}

long fl_splice_out(int pipe, int socket, size_t count) {
  RETRY(long, syscall(SYS_splice, pipe, NULL, socket, NULL, count,
                      SPLICE_F_MOVE | SPLICE_F_NONBLOCK));
}

// The result is the pipe's capacity in bytes; a refused capacity leaves the kernel's default.
int fl_pipe(int *read_end, int *write_end, int capacity) {
  int ends[2];
  if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) < 0) return -errno;
  *read_end = ends[0];
  *write_end = ends[1];
  int got = fcntl(ends[1], F_SETPIPE_SZ, capacity);
  if (got <= 0) got = fcntl(ends[1], F_GETPIPE_SZ);
  return got > 0 ? got : 65536;
}

static int poll_for(int fd, short events, int timeout_ms) {
  struct pollfd poller = {.fd = fd, .events = events};
  int result = poll(&poller, 1, timeout_ms);
  if (result < 0) return errno == EINTR ? 0 : -errno;
  return result > 0 && (poller.revents & (events | POLLERR | POLLHUP)) != 0;
}

int fl_poll_writable(int fd, int timeout_ms) { return poll_for(fd, POLLOUT, timeout_ms); }

int fl_poll_readable(int fd, int timeout_ms) { return poll_for(fd, POLLIN, timeout_ms); }

long fl_read(int fd, void *bytes, size_t count) { RETRY(long, read(fd, bytes, count)); }

int fl_inotify_open(void) { RETRY(int, inotify_init1(IN_NONBLOCK | IN_CLOEXEC)); }

int fl_inotify_add(int inotify, const char *path, uint32_t mask) {
  RETRY(int, inotify_add_watch(inotify, path, mask));
}

int fl_inotify_remove(int inotify, int watch) {
  return inotify_rm_watch(inotify, watch) < 0 ? -errno : 0;
}

size_t fl_inotify_event(const void *bytes, size_t count, size_t offset, int *watch,
                        uint32_t *mask) {
  struct inotify_event event;
  if (offset > count || count - offset < sizeof event) return 0;
  memcpy(&event, (const uint8_t *)bytes + offset, sizeof event);
  if (event.len > count - offset - sizeof event) return 0;
  *watch = event.wd;
  *mask = event.mask;
  return offset + sizeof event + event.len;
}

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
int fl_pidfd_open(int pid) { RETRY(int, (int)syscall(SYS_pidfd_open, pid, 0)); }

int fl_eventfd(void) { RETRY(int, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)); }

int fl_eventfd_signal(int fd) {
  uint64_t one = 1;
  return write(fd, &one, sizeof one) < 0 && errno != EAGAIN ? -errno : 0;
}

int fl_eventfd_drain(int fd) {
  uint64_t count;
  return read(fd, &count, sizeof count) < 0 && errno != EAGAIN ? -errno : 0;
}

int64_t fl_monotonic_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t fl_realtime_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int fl_cpu_count(void) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  long count = sysconf(_SC_NPROCESSORS_ONLN);
  return count > 0 ? (int)count : 1;
}

int fl_thread_name(const char *name) { return -pthread_setname_np(pthread_self(), name); }

int fl_limit_descriptors(uint64_t *soft, uint64_t *hard) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return -errno;
  *soft = limit.rlim_cur;
  *hard = limit.rlim_max;
  return 0;
}

int fl_raise_descriptors(uint64_t want) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return -errno;
  if (want > limit.rlim_max) limit.rlim_max = want;  // needs privilege; refused otherwise
  limit.rlim_cur = want;
  return setrlimit(RLIMIT_NOFILE, &limit) < 0 ? -errno : 0;
}

static void calendar_from(const struct tm *tm, struct fl_calendar *out) {
  out->year = tm->tm_year + 1900;
  out->month = tm->tm_mon + 1;
  out->day = tm->tm_mday;
  out->hour = tm->tm_hour;
  out->minute = tm->tm_min;
  out->second = tm->tm_sec;
  out->offset_minutes = (int)(tm->tm_gmtoff / 60);
}

void fl_local_time(int64_t seconds, struct fl_calendar *out) {
  time_t time = (time_t)seconds;
  struct tm tm = {0};
  localtime_r(&time, &tm);
  calendar_from(&tm, out);
}

void fl_utc_time(int64_t seconds, struct fl_calendar *out) {
  time_t time = (time_t)seconds;
  struct tm tm = {0};
  gmtime_r(&time, &tm);
  calendar_from(&tm, out);
}

const char *fl_error_text(int error) {
  const char *text = strerrordesc_np(error);
  return text ? text : "Unknown error";
}

// Address space that costs memory only where it is touched.
void *fl_reserve(size_t bytes) {
  void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return memory == MAP_FAILED ? NULL : memory;
}

void fl_release(void *memory, size_t bytes) { munmap(memory, bytes); }
